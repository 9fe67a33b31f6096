import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Permutation } from './permutation.js';

const all = (order: Permutation, n: number) => Array.from({ length: n }, (_, i) => order.at(i));

it('has every number once', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3000 }), fc.integer(), (n, seed) => {
      const order = all(new Permutation(n, seed), n);
      expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
    }),
    { numRuns: 60 },
  );
});

it('is the same for the same seed and keys, and another for others', () => {
  const order = (seed: number, key: number) => all(new Permutation(1000, seed, 'order', key), 1000).join();
  expect(order(1, 0)).toBe(order(1, 0));
  expect(new Set([order(1, 0), order(1, 1), order(2, 0), order(2, 1)]).size).toBe(4);
  // Golden: saved runs resume in this order.
  expect(all(new Permutation(10, 1337, 'order', 0), 10)).toEqual([5, 3, 2, 4, 8, 0, 9, 1, 7, 6]);
});

it('looks random: places and neighbours spread evenly', () => {
  const n = 10_000;
  const order = all(new Permutation(n, 5), n);
  // Chi-squared of (half of the places, tenth of the numbers): 9 degrees of freedom, 99.9 % below 27.9.
  const firstHalf = new Array(10).fill(0);
  for (const x of order.slice(0, n / 2)) firstHalf[Math.floor((x * 10) / n)]++;
  expect(firstHalf.reduce((sum, got) => sum + (got - 500) ** 2 / 250, 0)).toBeLessThan(27.9);
  const rises = order.filter((x, i) => i > 0 && x > order[i - 1]!).length;
  expect(Math.abs(rises - n / 2)).toBeLessThan(4 * Math.sqrt(n / 12));
  expect(order.filter((x, i) => x === i).length).toBeLessThan(10);
});

it('reaches large ranges without memory', () => {
  const n = 2 ** 40 + 12345;
  const order = new Permutation(n, 3);
  const seen = new Set(all(order, 1000));
  expect(seen.size).toBe(1000);
  for (const x of seen) expect(Number.isSafeInteger(x) && x >= 0 && x < n).toBe(true);
  expect(Math.max(...seen)).toBeGreaterThan(2 ** 39);
});
