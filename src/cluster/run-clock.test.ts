import { expect, it } from 'vitest';
import { learningRate, rateWithin } from '../training/schedule.js';
import { RunClock } from './run-clock.js';

/** A run of `limit` seconds in rounds of 25 steps, each step taking what `cost` says of its time; its rates in order. */
function simulate(limit: number, planned: number, cost: (second: number) => number) {
  let time = 0;
  const clock = new RunClock(limit, planned, 0, () => 1000 * time);
  const schedule = { peak: 1, final: 0.1, warmup: Math.floor(planned / 10), steps: planned };
  const rates: number[] = [];
  const left: number[] = [];
  while (clock.left > 0) {
    const steps = clock.roundSteps(25);
    const span = clock.span(planned, steps);
    const begun = time;
    for (let i = 0; i < steps; i++) {
      rates.push(rateWithin(schedule, span, i, steps));
      time += cost(time);
      left.push(clock.left);
    }
    clock.tookRound(steps, time - begun);
  }
  return { time, rates, left, expected: clock.expectedSteps(rates.length) };
}

it.each([
  ['as fast as planned', () => 0.1],
  ['three times slower than planned', () => 0.3],
  ['three times faster', () => 0.033],
  ['slower from the middle on', (second: number) => (second < 50 ? 0.1 : 0.25)],
  ['stopped for a while', (second: number) => (second > 40 && second < 41 ? 20 : 0.1)],
])('has let the rate fall when the time is over: %s', (_name, cost) => {
  const { time, rates, left, expected } = simulate(100, 1000, cost);
  expect(rates.at(-1)).toBeLessThan(0.13);
  expect(Math.max(...rates)).toBeGreaterThan(0.98);
  expect(time).toBeGreaterThanOrEqual(100);
  expect(time).toBeLessThan(100 + 25 * 0.3);
  expect(Math.max(...left)).toBeLessThanOrEqual(100);
  expect(expected).toBe(rates.length);
});

it('is the schedule of the steps where the machine keeps the speed that was measured', () => {
  const { rates } = simulate(125, 1000, () => 0.125);
  const schedule = { peak: 1, final: 0.1, warmup: 100, steps: 1000 };
  expect(rates).toHaveLength(1000);
  for (const [step, rate] of rates.entries()) expect(rate).toBeCloseTo(learningRate(schedule, step), 6);
});

it('goes on from the time that earlier processes spent, and keeps room for the evaluation at the end', () => {
  let time = 0;
  const clock = new RunClock(60, 600, 45, () => 1000 * time);
  expect([clock.seconds, clock.left, clock.position(600)]).toEqual([45, 15, 450]);
  clock.tookEvaluation(5);
  expect(clock.left).toBe(10);
  expect(clock.roundSteps(500)).toBe(100);
  time = 30;
  expect([clock.left, clock.position(600), clock.roundSteps(25)]).toEqual([0, 600, 1]);
});
