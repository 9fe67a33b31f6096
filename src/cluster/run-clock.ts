import type { ScheduleSpan } from '../training/schedule.js';

/**
 * The clock of a run that `--minutes` ends. Its schedule follows the time that has passed and not the steps, so that the
 * learning rate has fallen when the time is over, however fast the machine turns out to be.
 */
export class RunClock {
  /** Of a step of the last round; before the first, as the run was planned. */
  #secondsPerStep: number;
  /** Seconds that the evaluation at the end will take. */
  #reserve = 0;
  readonly #begun: number;

  /**
   * @param limit seconds of the whole run
   * @param planned steps that the limit was thought to hold
   * @param spent seconds that earlier processes trained for
   * @param now milliseconds
   */
  constructor(
    readonly limit: number,
    planned: number,
    spent: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#secondsPerStep = limit / planned;
    this.#begun = now() - 1000 * spent;
  }

  /** Seconds since the first step, over all processes. */
  get seconds(): number {
    return (this.now() - this.#begun) / 1000;
  }

  /** Seconds until the last round ends. */
  get left(): number {
    return Math.max(0, this.limit - this.#reserve - this.seconds);
  }

  /** Where a schedule of so many steps stands. */
  position(steps: number): number {
    return steps * Math.min(1, this.seconds / (this.limit - this.#reserve));
  }

  /** Steps of the next round: those that were asked for, or fewer where the time ends before. */
  roundSteps(steps: number): number {
    return Math.max(1, Math.min(steps, Math.ceil(this.left / this.#secondsPerStep)));
  }

  /** How far a schedule of `schedule` steps goes over a round of `steps`, at the speed of the last round. */
  span(schedule: number, steps: number): ScheduleSpan {
    const position = this.position(schedule);
    return {
      position,
      advance: Math.min(schedule - position, (schedule * steps * this.#secondsPerStep) / (this.limit - this.#reserve)),
    };
  }

  /** A round of `steps` took so many seconds. */
  tookRound(steps: number, seconds: number): void {
    this.#secondsPerStep = Math.max(seconds / steps, 1e-6);
  }

  /** An evaluation took so many seconds; one more is to come at the end, within the limit. */
  tookEvaluation(seconds: number): void {
    this.#reserve = Math.min(seconds, this.limit / 2);
  }

  /** Steps that the whole run will have at the speed so far. */
  expectedSteps(step: number): number {
    return step + Math.round(this.left / this.#secondsPerStep);
  }
}
