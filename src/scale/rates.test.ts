import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { guessedRate, type RateTrial, rateFor, rateLaw, searchRate } from './rates.js';

/** Follows a search to its end by a loss as a function of the rate. */
function follow(guess: number, lossOf: (rate: number) => number): { best: number; trials: RateTrial[] } {
  const trials: RateTrial[] = [];
  for (;;) {
    const found = searchRate(guess, trials);
    if ('best' in found) return { best: found.best, trials };
    trials.push(...found.next.map((rate) => ({ rate, loss: lossOf(rate) })));
  }
}

/** A valley with its bottom at a rate. */
const valley = (at: number) => (rate: number) => 2 + 0.1 * Math.log(rate / at) ** 2;

describe('searchRate', () => {
  it('tries half, once and twice the guess first', () => {
    expect(searchRate(0.004, [])).toEqual({ next: [0.002, 0.004, 0.008] });
    expect(searchRate(0.004, [{ rate: 0.002, loss: 2 }])).toEqual({ next: [0.004, 0.008] });
  });

  it('finds the bottom of a parabola in the logarithm, wherever it lies within eight times the guess', () => {
    fc.assert(
      fc.property(fc.double({ min: -2.9, max: 2.9, noNaN: true }), (power) => {
        const at = 0.01 * 2 ** power;
        const { best, trials } = follow(0.01, valley(at));
        expect(best / at).toBeCloseTo(1, 6);
        expect(trials.length).toBeLessThanOrEqual(6);
      }),
    );
  });

  it('stops sixteen times from the guess', () => {
    expect(follow(0.01, (rate) => 1 / rate).best).toBeCloseTo(0.16, 10);
    expect(follow(0.01, (rate) => rate).best).toBeCloseTo(0.01 / 16, 10);
  });

  it('turns away from rates that diverge', () => {
    const { best } = follow(0.01, (rate) => (rate > 0.0051 ? Number.POSITIVE_INFINITY : valley(0.0045)(rate)));
    expect(best).toBeCloseTo(0.005, 10);
    expect(() => follow(0.01, () => Number.POSITIVE_INFINITY)).toThrow('Every learning rate from 0.00063 to 0.020 div');
  });
});

describe('rateLaw', () => {
  it('goes through both sizes', () => {
    const law = rateLaw([
      { parameters: 3e4, rate: 8e-3 },
      { parameters: 5e5, rate: 3e-3 },
    ]);
    expect(rateFor(law, 3e4)).toBeCloseTo(8e-3, 12);
    expect(rateFor(law, 5e5)).toBeCloseTo(3e-3, 12);
    expect(rateFor(law, 1e6)).toBeLessThan(3e-3);
  });

  it('begins at 3e-3 for a million parameters', () => {
    expect(guessedRate(1e6)).toBeCloseTo(3e-3, 12);
    expect(guessedRate(1.25e5)).toBeCloseTo(6e-3, 12);
  });
});
