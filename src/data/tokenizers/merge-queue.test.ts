import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MergeQueue } from './merge-queue.js';

it('gives the highest count first, then the lowest left, then the lowest right token', () => {
  const number = fc.integer({ min: 0, max: 3 });
  fc.assert(
    fc.property(fc.array(fc.tuple(number, number, number)), (triples) => {
      const queue = new MergeQueue();
      for (const [count, left, right] of triples) queue.push({ count, left, right, pair: 0, words: [] });
      expect(queue.size).toBe(triples.length);
      const popped = triples.map(() => queue.pop()!).map(({ count, left, right }) => [count, left, right]);
      const sorted = [...triples].sort((a, b) => b[0] - a[0] || a[1] - b[1] || a[2] - b[2]);
      expect(popped).toEqual(sorted);
      expect(queue.pop()).toBeUndefined();
    }),
  );
});
