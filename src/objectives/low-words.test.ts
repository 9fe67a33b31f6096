import { expect, it } from 'vitest';
import { lowWords } from './low-words.js';

it('writes through to the integers, of a view alone', () => {
  const all = new BigInt64Array(4);
  const low = lowWords(all.subarray(1, 3));
  expect(low.length).toBe(4);
  low[0] = 7;
  low[2] = 2 ** 31 - 1;
  expect([...all]).toEqual([0n, 7n, 2147483647n, 0n]);
});
