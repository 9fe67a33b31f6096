/** Steps at the start of a process that are not counted: caches, pools and compilers warm up. */
const WARM_UP_STEPS = 10;

/**
 * Tokens or samples a second over the wall time spent in rounds (steps and averaging): without the first 10 steps and whatever lies
 * between rounds, such as evaluations and checkpoints. A run of 10 steps or fewer counts all of them.
 */
export class Throughput {
  readonly #perStep: number;
  readonly #now: () => number;
  /** Up to when time has been counted. */
  #counted = 0;
  readonly #all = { steps: 0, time: 0 };
  readonly #warm = { steps: 0, time: 0 };

  /**
   * @param perStep tokens or samples of all replicas
   * @param now milliseconds
   */
  constructor(perStep: number, now: () => number = () => performance.now()) {
    this.#perStep = perStep;
    this.#now = now;
  }

  beginRound(): void {
    this.#counted = this.#now();
  }

  /** All replicas have done a step. */
  step(): void {
    this.#count();
    this.#all.steps++;
    if (this.#all.steps > WARM_UP_STEPS) this.#warm.steps++;
  }

  /** The averaging after the steps is done. */
  endRound(): void {
    this.#count();
  }

  /** 0 before the first step. */
  get perSecond(): number {
    const { steps, time } = this.#warm.steps > 0 && this.#warm.time > 0 ? this.#warm : this.#all;
    return time > 0 ? (1000 * steps * this.#perStep) / time : 0;
  }

  #count(): void {
    const now = this.#now();
    this.#all.time += now - this.#counted;
    if (this.#all.steps >= WARM_UP_STEPS) this.#warm.time += now - this.#counted;
    this.#counted = now;
  }
}
