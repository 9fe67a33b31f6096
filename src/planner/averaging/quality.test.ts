import { describe, expect, test } from 'vitest';
import { qualityCost, tokenFactor } from './quality.js';

const chinchilla = { E: 1.69, A: 406.4, B: 410.7, alpha: 0.34, beta: 0.28 };

describe('the gap in loss', () => {
  test.each([
    [35e6, 2, 3.508 / 3.485 - 1],
    [35e6, 8, 3.621 / 3.485 - 1],
    [1.3e9, 4, 2.472 / 2.46 - 1],
    [10e9, 4, 2.096 / 2.09 - 1],
  ])('of %d parameters and %d replicas is the published one', (parameters, replicas, gap) => {
    const cost = qualityCost(parameters, replicas, 30);
    expect(cost.gap).toBeCloseTo(gap, 10);
    expect(cost.extrapolated).toBe(false);
    expect(cost.sources).toEqual([expect.stringContaining('2503.09799')]);
  });

  test('is none without averaging, and none where averaging did better', () => {
    expect(qualityCost(1e9, 1, 500)).toEqual({ gap: 0, extrapolated: false, sources: [] });
    expect(qualityCost(1e9, 8, 1).gap).toBe(0);
    expect(qualityCost(2.4e9, 2, 30).gap).toBe(0);
    expect(qualityCost(2.4e9, 2, 10).gap).toBe(0);
  });

  test('lies between its neighbours for sizes and counts between', () => {
    const between = qualityCost(Math.sqrt(90e6 * 180e6), 3, 30).gap;
    expect(between).toBeGreaterThan(qualityCost(180e6, 2, 30).gap);
    expect(between).toBeLessThan(qualityCost(90e6, 4, 30).gap);
    expect(qualityCost(135e6, 8, 30).gap).toBeGreaterThan(3.019 / 2.95 - 1);
  });

  test('grows with replicas beyond eight and with H as their sources say, and tells that it is extrapolated', () => {
    const many = qualityCost(1.3e9, 64, 30);
    expect(1 + many.gap).toBeCloseTo((2.493 / 2.46) * 8 ** 0.0116, 10);
    expect(many.extrapolated).toBe(true);
    expect(many.sources).toHaveLength(2);
    expect(qualityCost(35e6, 2, 120).gap / qualityCost(35e6, 2, 30).gap).toBeCloseTo(4 ** 0.585, 10);
    expect(qualityCost(2.4e9, 2, 300).gap).toBeCloseTo(0.001 * (10 ** 0.585 - 1), 10);
    expect(qualityCost(35e6, 2, 1000).extrapolated).toBe(true);
    expect(qualityCost(530e9, 8, 30)).toMatchObject({ gap: qualityCost(2.4e9, 8, 30).gap, extrapolated: true });
  });
});

describe('the tokens that make up for it', () => {
  test('none for no gap', () => {
    expect(tokenFactor(0, 1e9, 20e9, chinchilla)).toBe(1);
  });

  test('bring the loss back to where it was', () => {
    const loss = (tokens: number) => 1.69 + 406.4 / 1e9 ** 0.34 + 410.7 / tokens ** 0.28;
    const factor = tokenFactor(0.02, 1e9, 20e9, chinchilla);
    expect(loss(20e9 * factor) * 1.02).toBeCloseTo(loss(20e9), 12);
    expect(factor).toBeGreaterThan(1.4);
  });

  test('no number of tokens closes a gap wider than what tokens can do', () => {
    expect(tokenFactor(0.3, 1e9, 20e9, chinchilla)).toBe(Number.POSITIVE_INFINITY);
  });
});
