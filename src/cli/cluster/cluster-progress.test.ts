import { expect, test } from 'vitest';
import type { CoordinatorEvent } from '../../cluster/index.js';
import { testOutput } from '../terminal/test-output.js';
import { ClusterProgress, waitingText } from './cluster-progress.js';

test('waiting says for whom, how long, and what happens then', () => {
  const waiting = { seconds: 12, secondsLeft: 18, afterwards: 'the round goes on without them' };
  expect(waitingText({ ...waiting, kind: 'contributions', for: ['a', 'b', 'c', 'd', 'e'] })).toBe(
    'waiting for contributions of a, b, c and 2 more, 12 s; in 18 s: the round goes on without them',
  );
  expect(waitingText({ kind: 'members', for: [], seconds: 3, secondsLeft: null, afterwards: 'round 1 opens' })).toBe(
    'waiting for workers, 3 s; round 1 opens',
  );
});

test('events become lines; a round is one line with what it did', () => {
  const output = testOutput();
  let now = 0;
  const progress = new ClusterProgress(output, () => (now += 10_000));
  const events: CoordinatorEvent[] = [
    { type: 'standby', leader: 'box-1, process 7' },
    { type: 'leading', run: 'abc', round: 3 },
    { type: 'member', worker: 'w1', change: 'left', reason: 'no heartbeat for 10 s' },
    {
      type: 'refused',
      worker: 'w2',
      about: 'contribution',
      code: 'outlier',
      reason: 'its norm is 12 times the median',
    },
    { type: 'aborted', round: 4, reason: 'no quorum' },
    {
      type: 'round',
      step: 1250,
      round: 5,
      workers: ['w2', 'w3'],
      missed: ['w1'],
      tokens: 6000,
      loss: 2.5,
      norms: [1, 1],
      seconds: { round: 2, train: 1.9, upload: 0, wait: 0, reduce: 0, gather: 0, commit: 0 },
      bytes: { sent: 1, received: 1 },
      utilization: 0.95,
      refusals: 0,
    },
  ];
  for (const event of events) progress.show(event);
  progress.end();
  expect(output.stderr.join('').trimEnd().split('\n')).toEqual([
    'standing by: box-1, process 7 leads; this one takes over when it is heard of no more',
    'leading abc from round 3',
    'w1 left: no heartbeat for 10 s',
    'refused from w2: contribution: its norm is 12 times the median',
    'round 4 aborted: no quorum',
    'round 5  step 1,250  loss 2.500  val -  2 workers  3k tokens/s  95 % computing  without w1',
  ]);
});
