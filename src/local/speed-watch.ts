/** Speeds are compared over so long, or one round. */
const WINDOW_MILLISECONDS = 20_000;
/** Below this part of the best, twice in a row, a run has become slower: shared machines waver by a third. */
const FALL = 0.7;
/** After a measurement so much time passes before the next: it takes some seconds. */
const REST_MILLISECONDS = 300_000;

/** Says when it should be measured again how a run shares out the cores, by how long its rounds take. */
export class SpeedWatch {
  #steps = 0;
  #time = 0;
  /** Steps a millisecond. */
  #best = 0;
  #slow = 0;
  #rest = 0;
  #fewer = false;

  /**
   * A round is over.
   *
   * @returns whether to measure now: the speed fell; or the run has held back for a while, as {@link measured} was told
   */
  round(steps: number, milliseconds: number): boolean {
    this.#rest -= milliseconds;
    this.#steps += steps;
    this.#time += milliseconds;
    if (this.#time < WINDOW_MILLISECONDS) return false;
    const speed = this.#steps / this.#time;
    [this.#steps, this.#time] = [0, 0];
    this.#slow = speed < FALL * this.#best ? this.#slow + 1 : 0;
    if (this.#slow === 0) this.#best = Math.max(this.#best, speed);
    return this.#rest <= 0 && (this.#slow >= 2 || this.#fewer);
  }

  /**
   * It was measured. What the run reaches from here on is what later speeds are held against.
   *
   * @param fewer whether it now uses less of the machine than it may, which it should not go on doing for ever
   */
  measured(fewer: boolean): void {
    [this.#steps, this.#time, this.#best, this.#slow] = [0, 0, 0, 0];
    this.#rest = REST_MILLISECONDS;
    this.#fewer = fewer;
  }
}
