import { expect, it } from 'vitest';
import { Play } from './coordinator.test-support.js';
import { Observations } from './observations.js';
import { statusOf, waitingOf } from './status-of.js';

it('shows who is there, what is waited for, how long and what happens then', () => {
  const play = new Play();
  play.happen({ type: 'admitted', host: 'node 1', workers: ['a'] });
  play.join('a');
  play.join('b');
  play.contribute('a');
  const numbers = { totalSteps: 12, tokensPerSecond: 5, seconds: 9 };
  const status = statusOf(play.state, new Observations(), numbers, 2000);
  expect(status).toMatchObject({
    ...{ run: 'r', phase: 'training', round: 1, step: 0, totalSteps: 12, tokensPerSecond: 5, seconds: 9 },
    workers: [
      { worker: 'a', host: 'node 1', inRound: 'contributed', speed: 4, silentSeconds: 2 },
      { worker: 'b', host: 'b', inRound: 'training', speed: null, steps: 4 },
    ],
    data: { epoch: 0, committed: 0, leased: 0.32 },
  });
  expect(status.waiting).toEqual({
    ...{ kind: 'contributions', for: ['b'], seconds: 2, secondsLeft: 598 },
    afterwards: 'round 1 is aborted unless enough have contributed',
  });
  expect(JSON.parse(JSON.stringify(status))).toEqual(status);
});

it('waits for nothing when the run is over', () => {
  const play = new Play();
  play.happen({ type: 'event', event: { type: 'stop' } });
  expect(waitingOf(play.state, 0)).toBeNull();
});
