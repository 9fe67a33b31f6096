/** Requests to join, and names given, in a minute; who comes then is asked to wait. */
const REQUESTS = 120;
const NAMES = 1024;
/** Of these, what those who come by one invitation get at most, so that others have their turn. */
const SHARE = 3 / 4;
/** Refusals in a minute that people are told of one by one. */
const TOLD = 20;
const MINUTE = 60_000;

/** Keeps count at the door, so that those who knock never keep a run from its rounds. */
export class Doorkeeper {
  #since = Number.NEGATIVE_INFINITY;
  readonly #requests = new Counts(REQUESTS);
  readonly #names = new Counts(NAMES);
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

  /** Counts someone who knocks. @param by the invitation @returns whether there is time for the request in this minute */
  knock(by = ''): boolean {
    this.#turn();
    return this.#requests.take(1, by);
  }

  /** Counts names that are asked for. @param by the invitation @returns whether they may be given in this minute */
  names(count: number, by = ''): boolean {
    this.#turn();
    return this.#names.take(count, by);
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
    this.#requests.clear();
    this.#names.clear();
    this.#told = 0;
    this.#untold = 0;
    if (untold > 0) this.onUntold(untold);
  }
}

/** What is taken of so many, in all and by each invitation. */
class Counts {
  #all = 0;
  /** No more than were taken in all. */
  readonly #by = new Map<string, number>();

  constructor(private readonly most: number) {}

  take(count: number, by: string): boolean {
    const own = this.#by.get(by) ?? 0;
    if (this.#all + count > this.most || own + count > SHARE * this.most) return false;
    this.#all += count;
    this.#by.set(by, own + count);
    return true;
  }

  clear(): void {
    this.#all = 0;
    this.#by.clear();
  }
}
