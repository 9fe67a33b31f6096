import { describe, expect, it } from 'vitest';
import { converge } from './converge.js';

function ends(starts: readonly number[], caps: readonly number[], bytes: number, capacity: number): number[] {
  const got: number[] = [];
  const order = starts.map((_, i) => i).sort((a, b) => starts[a]! - starts[b]!);
  let before = 0;
  converge({ capacity, bytes, order, start: (i) => starts[i]!, cap: (i) => caps[i]! }, (worker, at) => {
    expect(at).toBeGreaterThanOrEqual(before);
    before = at;
    got[worker] = at;
  });
  return got;
}

describe('converge', () => {
  it('ends all that are alike together', () => {
    expect(ends([1, 1, 1, 1], [50, 50, 50, 50], 100, 100)).toEqual([5, 5, 5, 5]);
  });

  it('lets early ones have the line, and narrow ones their own', () => {
    // The first alone at 60 for 1 s, then both at 50: 40 left, 0.8 s; the other has 60 left at 60.
    expect(ends([0, 1], [60, 60], 100, 100)).toEqual([1.8, 2.8]);
    expect(ends([0, 0], [10, 1000], 100, 100)).toEqual([10, expect.closeTo(100 / 90, 12)]);
  });

  it('ends at once without workers', () => {
    expect(ends([], [], 100, 100)).toEqual([]);
  });
});
