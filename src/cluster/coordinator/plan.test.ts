import { expect, it } from 'vitest';
import { advanceOf, isFinished, nextSteps, planRun, schedulePosition } from './plan.js';

const none = { steps: undefined, tokens: undefined, minutes: undefined, untilLoss: undefined };
const start = { position: 0, tokens: 0, seconds: 0, last: null };

it('counts steps of each replica, whoever they are', () => {
  const plan = planRun({ ...none, steps: 100 }, 64, 2);
  expect(plan).toEqual({ schedule: 100, mostSteps: 100, mostTokens: null, mostSeconds: null });
  const at = { ...start, position: 92.5 };
  expect(isFinished(plan, at)).toBe(false);
  expect(isFinished(plan, { ...start, position: 99.9999999 })).toBe(true);
  expect(nextSteps(plan, at, 25, null)).toBe(8);
  expect(nextSteps(plan, start, 25, null)).toBe(25);
  expect(schedulePosition(plan, at)).toBe(92.5);
  expect(advanceOf(plan, at, 7.5, 1000)).toBe(7.5);
});

it('counts tokens of all, and lets the rate fall by their share', () => {
  const plan = planRun({ ...none, tokens: 10_240 }, 64, 2);
  expect(plan.schedule).toBe(80);
  expect(plan.mostTokens).toBe(10_240);
  const at = { ...start, tokens: 9_600, position: 70 };
  expect(isFinished(plan, at)).toBe(false);
  // 640 tokens are left, 256 a joint step of four members.
  expect(nextSteps(plan, at, 25, 256)).toBe(3);
  expect(schedulePosition(plan, at)).toBe(75);
  expect(advanceOf(plan, at, 3, 640)).toBe(5);
  expect(isFinished(plan, { ...at, tokens: 10_240 })).toBe(true);
});

it('goes by the clock where minutes are given', () => {
  const plan = planRun({ ...none, minutes: 2 }, 64, 2);
  expect(advanceOf(plan, start, 25, 0)).toBe(0);
  const at = { position: 50, tokens: 1, seconds: 30, last: { steps: 50, seconds: 12 } };
  expect(schedulePosition(plan, at)).toBe(500);
  expect(advanceOf(plan, at, 25, 0)).toBe(100);
  expect(isFinished(plan, at)).toBe(false);
  expect(isFinished(plan, { ...at, seconds: 120 })).toBe(true);
});

it('goes on for longer where a loss is to be reached, and has an end all the same', () => {
  expect(planRun({ ...none, untilLoss: 1 }, 64, 1).mostSteps).toBe(20_000);
  expect(planRun(none, 64, 1).mostSteps).toBe(2000);
});
