import { expect, test } from 'vitest';
import { evaluationText, settingsText, startedText } from './run-lines.js';

test('the start names sizes and where it goes on', () => {
  const started = {
    type: 'started',
    run: 'runs/a',
    step: 250,
    parameters: 810_000,
    replicas: 2,
    threads: 1,
    vocabulary: 65,
    trainTokens: 1_003_854,
    validationTokens: 111_540,
  } as const;
  expect(startedText(started)).toBe(
    'runs/a: 810k parameters, vocabulary 65, 1M training and 112k validation tokens, 2 replicas of 1 thread, from step 250',
  );
});

test('an evaluation tells how it stands beside the best', () => {
  const event = { type: 'evaluation', step: 1500, valLoss: 2.1, bitsPerByte: 3.0296 } as const;
  const best = { bestValLoss: 2, bestStep: 1250 };
  expect(evaluationText({ ...event, ...best, evaluationsSinceBest: 1 })).toBe(
    'step 1,500: validation loss 2.1000, 3.030 bits/byte (best 2.0000 at step 1,250)',
  );
  expect(evaluationText({ ...event, bestValLoss: 2.1, bestStep: 1500, evaluationsSinceBest: 0 })).toBe(
    'step 1,500: validation loss 2.1000, 3.030 bits/byte, best so far',
  );
});

test('settings and memory are told at the start', () => {
  const settings = {
    ...({ device: 'cpu', context: 64, batchSize: 12, gradAccum: 2, syncEvery: 25, lr: 3e-3, minLr: 3e-4 } as const),
    ...{ warmup: 100, steps: 2000, evalEvery: 250, patience: 5, seed: 1337 },
  };
  const started = {
    ...({ type: 'started', run: 'runs/a', step: 0, parameters: 1, replicas: 2, threads: 1, vocabulary: 65 } as const),
    ...{ trainTokens: 1, validationTokens: 1 },
  };
  expect(settingsText(started)).toEqual([]);
  const memory = { expectedMemoryBytes: 3.21e8, availableMemoryBytes: 2.3e10 };
  expect(settingsText({ ...started, settings, ...memory })).toEqual([
    'batch 12 × 64 × 2 micro-batches × 2 replicas, averaged every 25 steps = 3,072 tokens a step; 2,000 steps; ' +
      'learning rate 0.003 after 100 steps of warm-up, to 0.0003; cpu, seed 1337; evaluated every 250 steps, at most 5 ' +
      'without a better one',
    'memory: about 321 MB expected, 23.0 GB free',
  ]);
});
