import { describe, expect, it } from 'vitest';
import { Model } from '../model/model.js';
import { ladderSizes, parametersOf, sizeFor } from './sizes.js';

describe('parametersOf', () => {
  it.each([
    [2, 32],
    [3, 80],
    [4, 144],
  ])('counts what the model of %i layers of %i has', (layers, width) => {
    const sizes = { layers, width, heads: width / 16, keyValueHeads: width / 16, context: 64, vocabulary: 256 };
    expect(parametersOf(layers, width, 64)).toBe(Model.create('gpt2', sizes).layout.size);
  });
});

describe('sizeFor', () => {
  it.each([
    [30_000, 2, 32],
    [120_000, 2, 64],
    [500_000, 3, 112],
    [1e6, 4, 144],
    [1e8, 20, 640],
  ])('gives %i parameters %i layers of %i', (target, layers, width) => {
    const size = sizeFor(target, 64);
    expect(size).toMatchObject({ layers, width, heads: width / 16 });
    expect(Math.abs(Math.log(size.parameters / target))).toBeLessThan(0.2);
  });
});

describe('ladderSizes', () => {
  it('spaces five sizes evenly in the logarithm', () => {
    const sizes = ladderSizes(30_000, 500_000, 5, 64).map(({ parameters }) => parameters);
    expect(sizes).toHaveLength(5);
    for (let i = 1; i < 5; i++) {
      expect(sizes[i]! / sizes[i - 1]!).toBeGreaterThan(1.5);
      expect(sizes[i]! / sizes[i - 1]!).toBeLessThan(2.5);
    }
  });

  it('refuses a range without so many shapes', () => {
    expect(() => ladderSizes(30_000, 40_000, 5, 64)).toThrow(/fewer than 5 shapes.*Take the two further apart/s);
  });
});
