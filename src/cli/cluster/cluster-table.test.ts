import { expect, test } from 'vitest';
import type { ClusterStatus } from '../../cluster/index.js';
import { statusText } from './cluster-table.js';

const status: ClusterStatus = {
  run: 'abc',
  version: '0.1.0',
  phase: 'training',
  committed: { round: 7, hash: '0123456789abcdef' },
  round: 8,
  step: 200,
  totalSteps: 2000,
  tokens: 1_200_000,
  tokensPerSecond: 5300,
  trainLoss: 2.25,
  valLoss: null,
  waiting: { kind: 'contributions', for: ['b-1'], seconds: 4, secondsLeft: 6, afterwards: 'it is left out' },
  workers: [
    {
      worker: 'a-1',
      host: 'a',
      status: 'ready',
      inRound: 'contributed',
      steps: 25,
      speed: 12.345,
      tokens: 600_000,
      rounds: 7,
      bytesSent: 12_000_000,
      bytesReceived: 34_000,
      silentSeconds: 1,
      refused: null,
    },
    {
      worker: 'b-1',
      host: 'b',
      status: 'syncing',
      inRound: null,
      steps: null,
      speed: null,
      tokens: 0,
      rounds: 0,
      bytesSent: 0,
      bytesReceived: 0,
      silentSeconds: 70,
      refused: 'stale round',
    },
  ],
  asking: [{ id: '3f9a0c21b7de', host: 'c', address: '10.0.0.7', replicas: 1, seconds: 12 }],
  evicted: ['c-1'],
  refusals: [{ worker: 'b-1', about: 'contribution', code: 'stale', reason: 'stale round', secondsAgo: 9 }],
  data: { epoch: 0, committed: 0.125, leased: 0.01 },
  seconds: 240,
};

test('a status is a table of workers, with what is waited for and what was refused', () => {
  expect(statusText(status).split('\n')).toEqual([
    'abc: training, round 8; committed: round 7 (0123456789ab)',
    'step 200/2,000, 1.2M tokens, 5.3k tokens/s, loss 2.250, val -, 4 min 0 s',
    'epoch 0: 12.5 % committed, 1.0 % being trained on',
    'waiting for contributions of b-1, 4 s; in 6 s: it is left out',
    '',
    'worker  host  state        steps  steps/s  tokens  rounds  sent  received        heard of',
    'a-1     a     contributed     25     12.3    600k       7  12MB      34kB         1 s ago',
    'b-1     b     syncing          -        -       0       0    0B        0B  1 min 10 s ago  refused: stale round',
    '',
    'wait for approval (meanfield cluster approve RUN ID, or refuse):',
    '  3f9a0c21b7de  c at 10.0.0.7, 1 replica, since 12 s',
    'evicted: c-1',
    'refused:',
    '  9 s ago, b-1: contribution: stale round',
    '',
  ]);
});

test('a run that nobody has joined says so', () => {
  const lines = statusText({ ...status, workers: [], evicted: [], refusals: [], waiting: null, round: null });
  expect(lines).toContain('No worker takes part yet.');
  expect(lines).not.toContain('refused');
});
