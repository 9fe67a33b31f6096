import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Comparator, sortingNetwork } from './merge-network.js';

function run(network: readonly Comparator[], values: readonly number[]): number[] {
  const at = [...values];
  for (const [i, j] of network) [at[i], at[j]] = [Math.min(at[i]!, at[j]!), Math.max(at[i]!, at[j]!)];
  return at;
}

const every = (n: number) => Array.from({ length: n }, (_, i) => i);

it('sorts every row of zeros and ones up to 12 values, and so every row (the 0-1 principle)', () => {
  for (let n = 1; n <= 12; n++) {
    const network = sortingNetwork(n, every(n));
    for (let bits = 0; bits < 2 ** n; bits++) {
      const values = every(n).map((i) => (bits >> i) & 1);
      expect(run(network, values)).toEqual([...values].sort((a, b) => a - b));
    }
  }
});

it('has as many comparators as Batcher counts', () => {
  // Knuth, 5.2.2: (p² − p + 4)·2^(p−2) − 1 for 2^p values.
  expect([2, 4, 8, 16, 32].map((n) => sortingNetwork(n, every(n)).length)).toEqual([1, 5, 19, 63, 191]);
});

it('gives the wanted places of any number of values, with fewer comparators', () => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 1, maxLength: 70 }), fc.nat(), (values, pick) => {
      const place = pick % values.length;
      const network = sortingNetwork(values.length, [place]);
      expect(network.length).toBeLessThanOrEqual(sortingNetwork(values.length, every(values.length)).length);
      expect(run(network, values)[place]).toBe([...values].sort((a, b) => a - b)[place]);
    }),
    { numRuns: 200 },
  );
  expect(sortingNetwork(16, [7, 8]).length).toBeLessThan(63);
  expect(sortingNetwork(16, [])).toEqual([]);
});
