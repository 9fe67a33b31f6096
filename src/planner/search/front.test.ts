import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Arrangement, StepPrediction } from '../types.js';
import { Front } from './front.js';
import type { Candidate } from './types.js';

function candidate([data, total]: readonly [number, number]): Candidate {
  return {
    arrangement: { data, tensor: 1, pipeline: 1, context: 1 } as Arrangement,
    prediction: { time: { total } } as StepPrediction,
  };
}

test('keeps exactly those that none beats in devices and time', () => {
  const point = fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }));
  fc.assert(
    fc.property(fc.array(point, { maxLength: 30 }), (points) => {
      const front = new Front();
      for (const each of points) front.offer(candidate(each));
      const best = points.filter(([d, t]) => !points.some(([e, u]) => (e < d && u <= t) || (e <= d && u < t)));
      const expected = [...new Map(best.map(([d, t]) => [d, t]))].sort((a, b) => a[0] - b[0]);
      expect(front.members.map(({ arrangement, prediction }) => [arrangement.data, prediction.time.total])).toEqual(
        expected,
      );
    }),
  );
});

test('tells what must be beaten with so many devices', () => {
  const front = new Front();
  for (const point of [
    [2, 9],
    [4, 5],
    [8, 3],
  ] as const)
    front.offer(candidate(point));
  expect([1, 2, 3, 4, 7, 8, 99].map((count) => front.secondsAt(count))).toEqual([
    Number.POSITIVE_INFINITY,
    9,
    9,
    5,
    5,
    3,
    3,
  ]);
});
