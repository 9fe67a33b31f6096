import { describe, expect, it } from 'vitest';
import { learningRate } from './schedule.js';

const options = { peak: 1, final: 0.1, warmup: 4, steps: 104 };

describe('learningRate', () => {
  it('rises linearly to the peak', () => {
    expect([0, 1, 3].map((step) => learningRate(options, step))).toEqual([0.25, 0.5, 1]);
  });

  it('falls by half a cosine and stays at the end', () => {
    expect(learningRate(options, 4)).toBe(1);
    expect(learningRate(options, 54)).toBeCloseTo(0.55, 12);
    expect(learningRate(options, 104)).toBe(0.1);
    expect(learningRate(options, 1000)).toBe(0.1);
  });

  it('falls by a line to the end and stays there', () => {
    const linear = { ...options, shape: 'linear', final: 0 } as const;
    expect([4, 29, 54, 104, 1000].map((step) => learningRate(linear, step))).toEqual([1, 0.75, 0.5, 0, 0]);
    expect(learningRate({ ...linear, final: 0.1 }, 54)).toBeCloseTo(0.55, 12);
    expect(learningRate(linear, 1)).toBe(0.5);
  });

  it('starts at the peak without warm-up', () => {
    expect(learningRate({ ...options, warmup: 0 }, 0)).toBe(1);
  });
});
