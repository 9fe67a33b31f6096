import { describe, expect, it } from 'vitest';
import { paceSteps, smoothSpeed } from './pace.js';

const at = (...speeds: (number | null)[]) =>
  speeds.map((stepsPerSecond) => ({ stepsPerSecond, missed: 0, credit: null }));

describe('pace', () => {
  it('gives each the steps it does in the time of the median worker', () => {
    expect(paceSteps(at(5, 10, 20), 100, true)).toEqual([50, 100, 200]);
  });

  it('keeps between 1 and 4 H, and H for the unknown', () => {
    expect(paceSteps(at(0.001, 10, 10, 1000, null), 100, true)).toEqual([6, 100, 100, 400, 100]);
    expect(paceSteps(at(null, null), 7, true)).toEqual([7, 7]);
  });

  it('halves with each round missed in a row, to a sixteenth, measured or not', () => {
    const left = [1, 2, 9].map((missed) => ({ stepsPerSecond: null, missed, credit: null }));
    expect(paceSteps([...at(10), { stepsPerSecond: 20, missed: 1, credit: null }, ...left], 96, true)).toEqual([
      64, 64, 48, 24, 6,
    ]);
    expect(paceSteps(left, 96, false)).toEqual([96, 96, 96]);
  });

  it('goes by those who have contributed, whatever newcomers say', () => {
    const known = at(5, 10, 20).map((one) => ({ ...one, credit: 0 }));
    expect(paceSteps([...known, ...at(1e6, 1e6, 1e6)], 100, true)).toEqual([50, 100, 200, 400, 400, 400]);
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
