import { expect, test } from 'vitest';
import { splitFlags, summary } from './cluster-start.js';

test('flags go to whom they belong', () => {
  const flags = {
    ...{ run: 'runs/a', layers: 2, lr: 1e-3, moments: 'keep' as const, threads: 2, json: true },
    ...{ quorum: 0.5, format: 'int8' as const, data: { path: '/x' }, adaptiveSteps: true },
    ...{ nats: ['nats://h'], sharedCredential: true as const, inviteHours: 2, metricsPort: 9 },
  };
  const { train, cluster, server } = splitFlags(['a.txt'], flags);
  expect(train).toMatchObject({ corpus: ['a.txt'], run: 'runs/a', layers: 2, lr: 1e-3, moments: 'keep', threads: 2 });
  expect(Object.keys(train)).not.toEqual(expect.arrayContaining(['metricsPort', 'nats', 'quorum']));
  expect(cluster).toEqual({ quorum: 0.5, format: 'int8', data: { path: '/x' }, adaptiveSteps: true });
  expect(server).toEqual({ nats: ['nats://h'], sharedCredential: true, inviteHours: 2, metricsPort: 9 });
});

test('the end says what to do next', () => {
  const result = {
    ...{
      type: 'result' as const,
      run: 'runs/a b',
      objective: 'causal',
      step: 1000,
      tokens: 2e6,
      trainLoss: 2,
      valLoss: 2.1,
    },
    ...{ bestValLoss: 2.05, tokensPerSecond: 4000, seconds: 500, parameters: 1000, replicas: 3, rounds: 40 },
  };
  expect(summary({ ...result, interrupted: false })).toContain("  meanfield generate 'runs/a b'\n");
  expect(summary({ ...result, interrupted: true })).toContain("meanfield cluster start --run 'runs/a b' --resume");
  expect(summary({ ...result, interrupted: true })).toContain('40 rounds, 1,000 steps, 2M tokens in 8 min 20 s');
});
