import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WordMerger } from './merge-word.js';

/** a=0, b=1; ab=2, abab=3, aa=4, ba=5 */
const merger = new WordMerger([
  [0, 1, 2],
  [2, 2, 3],
  [0, 0, 4],
  [1, 0, 5],
]);

function merge(ids: number[]): number[] {
  const array = Int32Array.from(ids);
  return [...array.subarray(0, merger.merge(array, array.length))];
}

describe('WordMerger', () => {
  it('merges the lowest rank first, from the left', () => {
    expect(merge([0, 1, 0, 1, 0])).toEqual([3, 0]);
    expect(merge([0, 0, 0])).toEqual([4, 0]);
    expect(merge([1, 0, 1])).toEqual([1, 2]);
    expect(merge([])).toEqual([]);
    expect(merge([7])).toEqual([7]);
  });

  it('merges long words as it merges short ones', () => {
    // A symbol that merges with nothing parts a long word into short ones.
    const symbols = fc.array(fc.integer({ min: 0, max: 1 }), { maxLength: 40 });
    fc.assert(
      fc.property(fc.array(symbols, { minLength: 4, maxLength: 12 }), (parts) => {
        const long = parts.flatMap((part) => [...part, 9]);
        expect(merge(long)).toEqual(parts.flatMap((part) => [...merge(part), 9]));
      }),
    );
    expect(merge(Array(101).fill(0))).toEqual([...Array(50).fill(4), 0]);
  });
});
