import { describe, expect, it } from 'vitest';
import { Random } from '../../base/random.js';
import { dalyInterval, type Interruptions, slowdown, youngInterval } from './checkpoints.js';

const it5: Interruptions = { write: 300, restart: 600, mtbf: 6 * 3600 };

describe('youngInterval', () => {
  it('is the root of twice write and mean time', () => {
    // √(2 · 300 · 21600) = √12 960 000.
    expect(youngInterval(it5)).toBe(3600);
  });
});

describe('dalyInterval', () => {
  it('corrects Young’s as the paper does', () => {
    // δ/2M = 1/144: 3600 · (1 + 1/36 + 1/1296) − 300.
    expect(dalyInterval(it5)).toBeCloseTo(3600 * (1 + 1 / 36 + 1 / 1296) - 300, 9);
    expect(dalyInterval({ write: 100, mtbf: 50 })).toBe(50);
    expect(dalyInterval({ write: 100, mtbf: Number.POSITIVE_INFINITY })).toBe(Number.POSITIVE_INFINITY);
  });

  it('is nearer to the interval of least wall time than Young’s', () => {
    for (const write of [30, 300, 3000]) {
      const at = { ...it5, write };
      const best = Array.from({ length: 4000 }, (_, i) => 60 * 1.002 ** i).reduce((a, b) =>
        slowdown(b, at) < slowdown(a, at) ? b : a,
      );
      expect(Math.abs(dalyInterval(at) / best - 1)).toBeLessThan(0.01);
      expect(Math.abs(dalyInterval(at) - best)).toBeLessThan(Math.abs(youngInterval(at) - best));
    }
  });
});

describe('slowdown', () => {
  it('is what a run with random failures takes', () => {
    for (const [interval, at] of [
      [3600, it5],
      [900, { write: 120, restart: 900, mtbf: 1800 }],
    ] as const)
      expect(Math.abs(simulated(interval, at) / slowdown(interval, at) - 1)).toBeLessThan(0.02);
  });

  it('is the writing alone when nothing fails', () => {
    const mtbf = Number.POSITIVE_INFINITY;
    expect(slowdown(100, { write: 5, restart: 600, mtbf })).toBeCloseTo(1.05, 12);
    expect(slowdown(Number.POSITIVE_INFINITY, { write: 5, restart: 600, mtbf })).toBe(1);
    expect(slowdown(100, { write: 5, restart: 600, mtbf: 1e12 })).toBeCloseTo(1.05, 6);
  });
});

/** Wall time over training time of 20,000 intervals with exponentially distributed failures. */
function simulated(interval: number, { write, restart, mtbf }: Interruptions): number {
  const random = new Random(11);
  const untilFailure = () => -mtbf * Math.log(1 - random.uniform());
  let wall = 0;
  let left = untilFailure();
  const survives = (span: number): boolean => {
    if (left >= span) {
      wall += span;
      left -= span;
      return true;
    }
    wall += left;
    left = untilFailure();
    return false;
  };
  const intervals = 20_000;
  for (let i = 0; i < intervals; i++)
    while (!survives(interval + write)) {
      while (!survives(restart)) {}
    }
  return wall / (intervals * interval);
}
