import { expect, it } from 'vitest';
import { Throughput } from './throughput.js';

/** A clock in milliseconds that the test moves. */
function clocked(perStep: number) {
  const clock = { now: 1000 };
  return { clock, throughput: new Throughput(perStep, () => clock.now) };
}

it('counts rounds with their averaging, from the eleventh step on, and nothing between them', () => {
  const { clock, throughput } = clocked(100);
  expect(throughput.perSecond).toBe(0);
  for (let round = 0; round < 3; round++) {
    throughput.beginRound();
    for (let i = 0; i < 8; i++) {
      // The first ten steps are slow.
      clock.now += round * 8 + i < 10 ? 500 : 10;
      throughput.step();
    }
    clock.now += 20;
    throughput.endRound();
    clock.now += 60_000;
  }
  // 14 steps of 10 ms; the second and the third round's averaging of 20 ms.
  expect(throughput.perSecond).toBeCloseTo((14 * 100) / 0.18, 6);
});

it('counts every step of a run that has ten or fewer', () => {
  const { clock, throughput } = clocked(100);
  throughput.beginRound();
  for (let i = 0; i < 5; i++) {
    clock.now += 100;
    throughput.step();
  }
  clock.now += 500;
  throughput.endRound();
  expect(throughput.perSecond).toBe(500);
});

it('knows a speed in the middle of a round', () => {
  const { clock, throughput } = clocked(100);
  throughput.beginRound();
  clock.now += 50;
  throughput.step();
  expect(throughput.perSecond).toBe(2000);
});
