import { expect, test } from 'vitest';
import type { TrainResult } from '../../run/events.js';
import { summary } from './train.js';

const result: TrainResult = {
  type: 'result',
  run: 'runs/my book',
  objective: 'causal',
  step: 2000,
  tokens: 1_536_000,
  trainLoss: 1.5,
  valLoss: 1.75,
  bestValLoss: 1.7321,
  bestStep: 1750,
  bitsPerByte: 2.4989,
  ended: 'steps',
  peakMemoryBytes: 1.26e9,
  tokensPerSecond: 20_000,
  seconds: 90,
  parameters: 809_856,
  replicas: 1,
  rounds: 80,
  interrupted: false,
};

test('a finished run tells where the model is and what to do with it', () => {
  expect(summary(result)).toBe(`
Done. 2,000 steps, 1.54M tokens in 1 min 30 s (20k tokens/s), at most 1.3 GB of memory.
Validation loss 1.750, best 1.732 (2.499 bits/byte) at step 1,750. The best model: runs/my book/model

Next:
  meanfield generate 'runs/my book'
  meanfield eval 'runs/my book' FILE
  tensorboard --logdir runs     (curves; pip install tensorboard)
`);
});

test('a model of conversations is talked to', () => {
  expect(summary({ ...result, objective: 'chat' })).toContain("  meanfield generate 'runs/my book' --chat\n");
  expect(summary({ ...result, objective: 'one of my own' })).toContain("  meanfield info 'runs/my book'\n");
});

test('an interrupted run tells how to go on', () => {
  const text = summary({ ...result, interrupted: true, ended: 'stopped' });
  expect(text).toContain('Interrupted at step 2,000; saved.');
  expect(text).toContain("  meanfield train --run 'runs/my book' --resume\n");
});

test('a run that ended before its length says why', () => {
  expect(summary({ ...result, ended: 'patience' })).toContain('Done. It got no better any more. 2,000 steps');
  expect(summary({ ...result, ended: 'minutes' })).toContain('Done. The time is over. 2,000 steps');
});
