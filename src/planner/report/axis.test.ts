import { expect, test } from 'vitest';
import { closeLogAxis, linearAxis, logAxis, rangeAxis } from './axis.js';

test('a logarithmic axis spans whole powers of ten', () => {
  const axis = logAxis([30, 4000], 100, 400);
  expect(axis.ticks).toEqual([10, 100, 1000, 10_000]);
  expect([10, 100, 10_000].map(axis.at)).toEqual([100, 200, 400]);
  expect(logAxis([1000], 0, 1).ticks).toEqual([1000, 10_000]);
});

test('many powers get a mark every few', () => {
  expect(logAxis([1, 1e12], 0, 1).ticks).toEqual([1, 100, 1e4, 1e6, 1e8, 1e10, 1e12]);
});

test('values that no logarithm has do not spoil it', () => {
  expect(logAxis([0, Number.POSITIVE_INFINITY, 20], 0, 1).ticks).toEqual([10, 100]);
  expect(logAxis([], 0, 1).ticks).toEqual([1, 10]);
});

test('a linear axis starts at 0 and has round marks', () => {
  const axis = linearAxis(0.53, 300, 0);
  expect(axis.ticks.map((tick) => Number(tick.toPrecision(3)))).toEqual([0, 0.2, 0.4, 0.6]);
  expect([axis.at(0), axis.at(0.6)].map(Math.round)).toEqual([300, 0]);
  expect(linearAxis(5, 0, 1).ticks).toEqual([0, 1, 2, 3, 4, 5]);
  expect(linearAxis(0, 0, 1).ticks.every(Number.isFinite)).toBe(true);
});

test('rangeAxis ends at round numbers around the values', () => {
  const axis = rangeAxis([1.62, 2.38], 100, 0);
  expect(axis.ticks).toEqual([1.6, 1.8, 2, 2.2, 2.4]);
  expect(axis.at(1.6)).toBeCloseTo(100, 9);
  expect(axis.at(2.4)).toBeCloseTo(0, 9);
  expect(rangeAxis([2, 2], 0, 1).ticks.length).toBeGreaterThan(1);
  expect(rangeAxis([], 0, 1).ticks.length).toBeGreaterThan(1);
});

test('closeLogAxis holds the values and little more', () => {
  const axis = closeLogAxis([3e4, 1e6], 0, 100);
  expect(axis.ticks).toEqual([5e4, 1e5, 2e5, 5e5, 1e6]);
  expect(axis.at(3e4)).toBeGreaterThan(0);
  expect(axis.at(3e4)).toBeLessThan(8);
  expect(axis.at(1e6)).toBeGreaterThan(92);
  expect(closeLogAxis([1, 1e6], 0, 100).ticks).toEqual([1, 10, 100, 1e3, 1e4, 1e5, 1e6]);
});
