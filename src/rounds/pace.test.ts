import { describe, expect, it } from 'vitest';
import { paceSteps, smoothSpeed } from './pace.js';

const at = (...speeds: (number | null)[]) => speeds.map((stepsPerSecond) => ({ stepsPerSecond }));

describe('pace', () => {
  it('gives each the steps it does in the time of the median worker', () => {
    expect(paceSteps(at(5, 10, 20), 100, true)).toEqual([50, 100, 200]);
  });

  it('keeps between 1 and 4 H, and H for the unknown', () => {
    expect(paceSteps(at(0.001, 10, 10, 1000, null), 100, true)).toEqual([6, 100, 100, 400, 100]);
    expect(paceSteps(at(null, null), 7, true)).toEqual([7, 7]);
  });

  it('is fixed between threads', () => {
    expect(paceSteps(at(5, 10, 20), 100, false)).toEqual([100, 100, 100]);
  });

  it('smooths what is measured and ignores nonsense', () => {
    expect(smoothSpeed(null, 100, 10)).toBe(10);
    expect(smoothSpeed(20, 100, 10)).toBe(15);
    expect([smoothSpeed(20, 100, 0), smoothSpeed(20, 0, 5), smoothSpeed(null, 1, Number.NaN)]).toEqual([20, 20, null]);
  });
});
