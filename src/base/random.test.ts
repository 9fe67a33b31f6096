import { describe, expect, it } from 'vitest';
import { Random } from './random.js';

describe('Random', () => {
  it('follows the reference xoshiro128**', () => {
    // From the authors' C code with the state {1, 2, 3, 4}.
    const random = Random.from([1, 2, 3, 4]);
    expect([random.uint32(), random.uint32(), random.uint32(), random.uint32()]).toEqual([11520, 0, 5927040, 70819200]);
  });

  it('continues from a saved state and separates streams by key', () => {
    const a = new Random(7, 'sampler', 0);
    a.uniform();
    const b = Random.from(a.state);
    expect([a.uint32(), a.normal(), a.below(10)]).toEqual([b.uint32(), b.normal(), b.below(10)]);
    expect(new Random(7, 'sampler', 1).uint32()).not.toBe(new Random(7, 'sampler', 0).uint32());
  });

  it('has the moments of a standard normal', () => {
    const random = new Random(1);
    const xs = Array.from({ length: 20_000 }, () => random.normal());
    const mean = xs.reduce((a, b) => a + b) / xs.length;
    const variance = xs.reduce((a, b) => a + (b - mean) ** 2, 0) / xs.length;
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(variance - 1)).toBeLessThan(0.05);
  });
});
