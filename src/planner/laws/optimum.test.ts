import { describe, expect, it } from 'vitest';
import { findBrain, findLaw, scalingLaws } from './laws.js';
import { computeOptimal } from './optimum.js';
import { lossOf } from './parametric.js';

const GOPHER = 5.76e23;

describe('computeOptimal', () => {
  it('gives the optima that the papers print', () => {
    // arXiv 2203.15556, section 3.4: for Gopher's compute approach 3 says 40 billion parameters.
    expect(computeOptimal({ flop: GOPHER }, findLaw('chinchilla')).parameters / 1e9).toBeCloseTo(40, -0.5);
    // arXiv 2404.10102: about 20 tokens a parameter, as Chinchilla itself (70 billion) was trained.
    const again = computeOptimal({ flop: GOPHER }, findLaw('replication'));
    expect(again.parameters / 1e9).toBeGreaterThan(66);
    expect(again.parameters / 1e9).toBeLessThan(77);
    expect(again.tokens / again.parameters).toBeGreaterThan(16);
    expect(again.tokens / again.parameters).toBeLessThan(22);
    // arXiv 2001.08361, table 6: 1.3 billion parameters and 2.67 nats for a petaflop/s-day.
    const day = computeOptimal({ flop: 8.64e19 }, findLaw('kaplan'));
    expect(day.parameters).toBeCloseTo(1.3e9, 0);
    expect(day.loss).toBeCloseTo(3.1e8 ** 0.05, 10);
  });

  it('finds the least loss along the line of equal compute', () => {
    for (const law of scalingLaws) {
      if (law.form !== 'parametric') continue;
      const { parameters, tokens, loss, flop } = computeOptimal({ flop: 1e22 }, law);
      expect(6 * parameters * tokens).toBeCloseTo(flop, -10);
      for (const factor of [0.8, 0.99, 1.01, 1.25])
        expect(lossOf(law, parameters * factor, tokens / factor)).toBeGreaterThan(loss);
    }
  });

  it('takes dollars, seconds and a size as well', () => {
    const law = findLaw('replication');
    const one = computeOptimal({ flop: 1e21 }, law);
    // 8 accelerators at 400 TFLOP/s and 2 dollars an hour each: 7.2e17 FLOP a dollar.
    expect(computeOptimal({ usd: 1e21 / 7.2e17, flopPerUsd: 7.2e17 }, law).parameters).toBeCloseTo(one.parameters, -1);
    expect(computeOptimal({ seconds: 1e21 / 3.2e15, flopPerSecond: 3.2e15 }, law).tokens).toBeCloseTo(one.tokens, -2);
    const back = computeOptimal({ parameters: one.parameters }, law);
    expect(back.flop / 1e21).toBeCloseTo(1, 9);
    expect(back.loss).toBeCloseTo(one.loss, 12);
  });

  it('says what a brain of parameters would take, and that it extrapolates', () => {
    const brain = computeOptimal({ parameters: findBrain('brain-100t').parameters }, findLaw('replication'));
    // The exponents are nearly equal, so some 14 tokens a parameter: 1e15 tokens, 1e30 FLOP.
    expect(brain.tokens / 1e14).toBeGreaterThan(10);
    expect(brain.tokens / 1e14).toBeLessThan(20);
    expect(brain.flop / 1e29).toBeGreaterThan(6);
    expect(brain.flop / 1e29).toBeLessThan(12);
    expect(brain.extrapolated).toBe(true);
    expect(computeOptimal({ flop: 1e21 }, findLaw('replication')).extrapolated).toBe(false);
  });

  it.each([
    [{ flop: 0 }, 'flop must be a number above 0; got 0'],
    [{ flop: Number.NaN }, 'flop must be a number above 0; got NaN'],
    [{ usd: 5, flopPerUsd: -1 }, 'flopPerUsd must be a number above 0; got -1'],
    [{ seconds: Number.POSITIVE_INFINITY, flopPerSecond: 1 }, 'seconds must be a number above 0; got Infinity'],
  ])('refuses %j', (budget, message) => {
    expect(() => computeOptimal(budget, findLaw('chinchilla'))).toThrow(message);
  });
});
