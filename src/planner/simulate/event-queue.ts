import { Heap } from '../../base/heap.js';

/** What a virtual clock has yet to do. */
interface Due {
  readonly at: number;
  readonly number: number;
  readonly run: () => void;
}

/**
 * A virtual clock, in seconds, with what is due on it. Nothing waits: time jumps to the next event; events of the same
 * time run in the order in which they were added.
 */
export class TimedEvents {
  /** Seconds since the start. */
  now = 0;
  readonly #due = new Heap<Due>((a, b) => a.at < b.at || (a.at === b.at && a.number < b.number));
  #count = 0;

  /** Calls `run` at a time, which must not be past. */
  at(time: number, run: () => void): void {
    if (!(time >= this.now) || time === Number.POSITIVE_INFINITY)
      throw new Error(`an event at ${time} s was added at ${this.now} s`);
    this.#due.push({ at: time, number: this.#count++, run });
  }

  /** Calls `run` so many seconds from now. */
  after(delay: number, run: () => void): void {
    this.at(this.now + delay, run);
  }

  /** Goes to the next event and runs it; false when there is none. */
  step(): boolean {
    const next = this.#due.pop();
    if (!next) return false;
    this.now = next.at;
    next.run();
    return true;
  }
}
