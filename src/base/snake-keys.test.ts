import { expect, it } from 'vitest';
import { snakeKeys } from './snake-keys.js';

it('spells all keys with underscores, but those of settings', () => {
  const event = {
    type: 'progress',
    bestValLoss: 1.5,
    waiting: { secondsLeft: null },
    workers: [{ inRound: 'left', bytesSent: 3 }],
    settings: { batchSize: 12 },
  };
  expect(snakeKeys(event)).toEqual({
    type: 'progress',
    best_val_loss: 1.5,
    waiting: { seconds_left: null },
    workers: [{ in_round: 'left', bytes_sent: 3 }],
    settings: { batchSize: 12 },
  });
});
