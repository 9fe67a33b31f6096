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

test('keeps the fastest of the whole, of half, of a quarter, and so on', () => {
  const point = fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 1000 }));
  fc.assert(
    fc.property(fc.uniqueArray(point, { maxLength: 30, selector: ([, seconds]) => seconds }), (points) => {
      const front = new Front(20);
      for (const each of points) front.offer(candidate(each));
      const best = [1, 2, 5, 10, 20].flatMap((size) => {
        const within = points.filter(([count]) => count <= size).sort((a, b) => a[1] - b[1]);
        expect(front.secondsAt(size)).toBe(within[0]?.[1] ?? Number.POSITIVE_INFINITY);
        return within.slice(0, 1).map(([count, seconds]) => `${count} ${seconds}`);
      });
      const kept = front.members.map(({ arrangement, prediction }) => `${arrangement.data} ${prediction.time.total}`);
      expect(kept).toEqual([...new Set(best)]);
    }),
  );
});

test('parts smaller than a 128th are not told apart', () => {
  const front = new Front(1024);
  for (const point of [
    [1, 9],
    [8, 7],
    [16, 5],
    [1024, 1],
  ] as const)
    front.offer(candidate(point));
  expect(front.members.map(({ arrangement }) => arrangement.data)).toEqual([8, 16, 1024]);
});

test('tells what must be beaten with so many devices', () => {
  const front = new Front(8);
  const points = [
    [2, 9],
    [3, 5],
    [8, 3],
  ] as const;
  for (const point of points) front.offer(candidate(point));
  const seconds = [1, 2, 3, 4, 5, 8].map((count) => front.secondsAt(count));
  expect(seconds).toEqual([Number.POSITIVE_INFINITY, 9, 5, 5, 3, 3]);
});
