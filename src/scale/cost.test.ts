import { describe, expect, it } from 'vitest';
import { secondsOf, sideBySide, speedOf, stepsWithin } from './cost.js';

describe('speedOf', () => {
  const small = { parameters: 3e4, tokensPerSecond: 1e5, overhead: 2 };

  it('is the line through both measurements', () => {
    const speed = speedOf(small, { parameters: 5e5, tokensPerSecond: 2e4, overhead: 4 });
    expect(secondsOf(speed, 3e4, 1e6)).toBeCloseTo(3 + 10, 9);
    expect(secondsOf(speed, 5e5, 1e6)).toBeCloseTo(3 + 50, 9);
    expect(secondsOf(speed, 1e6, 1e6)).toBeGreaterThan(3 + 90);
  });

  it('stays above nothing where a busy machine measured upside down', () => {
    for (const tokensPerSecond of [1.2e5, 1e5, 5e3, 1]) {
      const speed = speedOf(small, { parameters: 5e5, tokensPerSecond, overhead: 1 });
      expect(speed.fixed).toBeGreaterThanOrEqual(0);
      expect(speed.perParameter).toBeGreaterThan(0);
      expect(secondsOf(speed, 5e5, 1e6)).toBeGreaterThanOrEqual(1e6 / tokensPerSecond);
    }
  });
});

describe('sideBySide', () => {
  it('puts the longest first', () => {
    expect(sideBySide([1, 1, 1, 3], 2)).toBe(3);
    expect(sideBySide([2, 2, 2], 2)).toBe(4);
    expect(sideBySide([2, 2, 2], 1)).toBe(6);
    expect(sideBySide([], 2)).toBe(0);
  });
});

describe('stepsWithin', () => {
  it('is the most that a budget pays for', () => {
    expect(stepsWithin(100, (steps) => 2 * steps + 1, 10)).toBe(49);
    expect(stepsWithin(21, (steps) => 2 * steps + 1, 10)).toBe(10);
  });

  it('refuses a budget that pays for nothing', () => {
    expect(() => stepsWithin(60, (steps) => 10 * steps, 40)).toThrow(/about 6.7 minutes here, and 1.0 are left/);
  });
});
