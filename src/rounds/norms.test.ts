import { describe, expect, it } from 'vitest';
import { median, outliers } from './norms.js';

describe('norms', () => {
  it('takes the median of odd, even and empty lists', () => {
    expect([median([3, 1, 2]), median([4, 1, 3, 2]), median([7]), median([])]).toEqual([2, 2.5, 7, undefined]);
    expect(median([10, 9, 1])).toBe(9); // by number, not by text
  });

  it.each([
    { name: 'one far above', norms: [1, 2, 100], factor: 10, out: [2] },
    { name: 'just at the limit', norms: [1, 2, 20], factor: 10, out: [] },
    { name: 'no check', norms: [1, 2, 1e9], factor: null, out: [] },
    { name: 'two say nothing', norms: [1, 1e9], factor: 10, out: [] },
    { name: 'a median of zero says nothing', norms: [0, 0, 1], factor: 10, out: [] },
    { name: 'small ones are harmless', norms: [1e-9, 2, 3], factor: 10, out: [] },
    { name: 'half remains', norms: [1, 1, 1, 1e3, 1e3], factor: 2, out: [3, 4] },
  ])('$name', ({ norms, factor, out }) => {
    expect(outliers(norms, factor)).toEqual(out);
  });
});
