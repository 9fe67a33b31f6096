import { type EarlierSchedule, learningRate, type ScheduleOptions, scheduleAt } from '../training/schedule.js';
import type { TimedRound } from './timed-rounds.js';

/** Seconds spent since the first step, over all processes. */
export class Clock {
  readonly #begun: number;

  /** @param before spent by earlier processes */
  constructor(before: number) {
    this.#begun = performance.now() - 1000 * before;
  }

  get seconds(): number {
    return (performance.now() - this.#begun) / 1000;
  }
}

/** The learning rates of the round in progress. */
export class Rates {
  #from = 0;
  #values: readonly number[] = [];

  constructor(
    private readonly schedule: ScheduleOptions,
    private readonly earlier: readonly EarlierSchedule[],
  ) {}

  /** Those of a round's steps; where time decides, a share of the schedule is spread over them. */
  begin(step: number, steps: number, timed: TimedRound | undefined): readonly number[] {
    this.#from = step;
    this.#values = Array.from({ length: steps }, (_, i) => {
      const schedule = scheduleAt(this.schedule, this.earlier, step + i);
      if (!timed) return learningRate(schedule, step + i);
      return learningRate(schedule, schedule.steps * (timed.from + ((timed.to - timed.from) * i) / steps));
    });
    return this.#values;
  }

  at(step: number): number | undefined {
    return this.#values[step - this.#from];
  }
}
