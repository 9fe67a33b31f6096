import { expect, test } from 'vitest';
import { spreadSteps, unevenRound } from './speeds.js';

test('with one H for all, the slowest sets the pace', () => {
  expect(unevenRound([1, 1, 2], 30, false)).toEqual({
    innerSteps: [30, 30, 30],
    seconds: 60,
    utilization: (30 + 30 + 60) / 3 / 60,
    stepsPerSecond: 1.5,
  });
});

test('with an H after its speed, each is busy all the time', () => {
  // Speeds 1, 1 and 1/2 have the mean 5/6: in the time of 30 mean steps, 36 s, they do 36, 36 and 18.
  expect(unevenRound([1, 1, 2], 30, true)).toEqual({
    innerSteps: [36, 36, 18],
    seconds: 36,
    utilization: 1,
    stepsPerSecond: 2.5,
  });
});

test('no replica is left without a step', () => {
  expect(unevenRound([1, 1000], 10, true).innerSteps).toEqual([20, 1]);
});

test('a spread keeps the mean speed', () => {
  const steps = spreadSteps(3, 1, 2);
  expect(steps[0]! / steps[2]!).toBeCloseTo(2, 12);
  expect(steps.reduce((sum, seconds) => sum + 1 / seconds, 0) / 3).toBeCloseTo(1, 12);
  expect(spreadSteps(1, 0.5, 3)).toEqual([0.5]);
  expect(spreadSteps(4, 0.5, 1)).toEqual([0.5, 0.5, 0.5, 0.5]);
});
