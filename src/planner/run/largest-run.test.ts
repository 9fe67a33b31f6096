import { describe, expect, it } from 'vitest';
import { findLaw } from '../laws/laws.js';
import { computeOptimal } from '../laws/optimum.js';
import { largestRun, secondsUntil } from './largest-run.js';
import { planRun } from './plan-run.js';
import { clusterOf, stepOf } from './run.test-support.js';
import { shapeOf } from './shape.js';

const law = findLaw('replication');
const RATE = 8 * 400e12;

/** Eight cards that sustain 400 TFLOP/s each, whatever the model. */
function planOf(price: number | null) {
  return (parameters: number, tokens: number) => {
    const batch = 1e5;
    const flop = 6 * parameters * batch;
    return planRun(stepOf(flop / RATE, batch, flop), shapeOf(1e6), clusterOf({ price }), { tokens });
  };
}

describe('largestRun', () => {
  it('is the optimum of the compute that the time gives', () => {
    const seconds = 30 * 86_400;
    const expected = computeOptimal({ seconds, flopPerSecond: RATE }, law);
    const found = largestRun({ seconds }, law, planOf(2))!;
    expect(found.optimum.parameters / expected.parameters).toBeCloseTo(1, 2.5);
    expect(found.plan.seconds).toBeLessThanOrEqual(seconds);
    expect(found.plan.seconds).toBeGreaterThan(seconds * 0.99);
  });

  it('keeps within a sum of money', () => {
    const found = largestRun({ usd: 1000 }, law, planOf(2))!;
    expect(found.plan.usd!).toBeLessThanOrEqual(1000);
    expect(found.plan.usd!).toBeGreaterThan(990);
  });

  it('stops at the largest model that fits, and finds none where none does', () => {
    const plan = planOf(2);
    const small = (n: number, d: number) => (n <= 2e9 ? plan(n, d) : null);
    expect(largestRun({ seconds: 1e9 }, law, small)!.optimum.parameters / 2e9).toBeCloseTo(1, 2.5);
    expect(largestRun({ seconds: 1e9 }, law, () => null)).toBeNull();
    expect(largestRun({ seconds: 1e-6 }, law, plan)).toBeNull();
  });

  it('refuses money without a price, and limits of nothing', () => {
    expect(() => largestRun({ usd: 1000 }, law, planOf(null))).toThrow('needs a price');
    expect(() => largestRun({ seconds: 0 }, law, planOf(2))).toThrow(
      'limit in seconds must be a number above 0; got 0',
    );
  });
});

describe('secondsUntil', () => {
  const now = Date.UTC(2027, 0, 1);

  it('counts to midnight UTC or to the time given', () => {
    expect(secondsUntil('2027-01-31', now)).toBe(30 * 86_400);
    expect(secondsUntil('2027-01-01T01:00Z', now)).toBe(3600);
    expect(secondsUntil('2027-01-01T01:00', now)).toBe(3600);
    expect(secondsUntil('2027-01-01T01:00:30+01:00', now)).toBe(30);
  });

  it.each(['tomorrow', '2027-02-30', '2027-13-01', '2027-1-5', '', '99999-01-01', '2027-01-05T25:00Z'])(
    'refuses %j',
    (date) => {
      expect(() => secondsUntil(date, now)).toThrow('Expected a date such as 2027-06-30');
    },
  );

  it('refuses the past', () => {
    expect(() => secondsUntil('2026-12-31', now)).toThrow('The date 2026-12-31 is past; now it is 2027-01-01T00:00Z.');
  });
});
