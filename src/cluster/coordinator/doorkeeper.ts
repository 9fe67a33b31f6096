/** Requests to join, and names given, in a minute; who comes then is asked to wait. */
const REQUESTS = 120;
const NAMES = 1024;
/** Refusals in a minute that people are told of one by one. */
const TOLD = 20;
const MINUTE = 60_000;

/** Keeps count at the door, so that those who knock never keep a run from its rounds. */
export class Doorkeeper {
  #since = Number.NEGATIVE_INFINITY;
  #requests = 0;
  #names = 0;
  #told = 0;
  #untold = 0;

  /**
   * @param onUntold how many refusals of the minute before nobody was told of
   * @param now milliseconds of a clock that never jumps
   */
  constructor(
    private readonly onUntold: (count: number) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Counts someone who knocks. @returns whether there is time for the request in this minute */
  knock(): boolean {
    this.#turn();
    if (this.#requests >= REQUESTS) return false;
    this.#requests++;
    return true;
  }

  /** Counts names that are asked for. @returns whether they may be given in this minute */
  names(count: number): boolean {
    this.#turn();
    if (this.#names > 0 && this.#names + count > NAMES) return false;
    this.#names += count;
    return true;
  }

  /** Counts a refusal. @returns whether people are to be told of it */
  refusal(): boolean {
    this.#turn();
    if (this.#told >= TOLD) {
      this.#untold++;
      return false;
    }
    this.#told++;
    return true;
  }

  #turn(): void {
    if (this.now() - this.#since < MINUTE) return;
    const untold = this.#untold;
    this.#since = this.now();
    this.#requests = 0;
    this.#names = 0;
    this.#told = 0;
    this.#untold = 0;
    if (untold > 0) this.onUntold(untold);
  }
}
