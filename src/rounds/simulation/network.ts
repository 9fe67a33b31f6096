import type { Random } from '../../base/random.js';

/** How the simulated lines behave; probabilities in [0, 1], times in virtual milliseconds. */
export interface LineOptions {
  /** A message takes between these; two in flight may overtake each other. */
  readonly delay: readonly [least: number, most: number];
  /** Probability that a message comes twice. */
  readonly duplicate: number;
  /** Probability that a message never comes. */
  readonly loss: number;
}

/**
 * A virtual clock with the events that are due, and lines that delay, repeat, lose and reorder. The same seed gives
 * the same schedule. Nothing here waits: time jumps to the next event.
 */
export class SimulatedNetwork {
  /** Virtual milliseconds. */
  now = 0;
  line: LineOptions;
  readonly #random: Random;
  /** A binary heap by time, then by number, so that ties keep their order. */
  readonly #heap: { at: number; number: number; run: () => void }[] = [];
  #count = 0;

  constructor(random: Random, line: LineOptions) {
    this.#random = random;
    this.line = line;
  }

  /** When the next event is due; `undefined`: nothing will ever happen again. */
  get next(): number | undefined {
    return this.#heap[0]?.at;
  }

  /** Calls `run` after `delay` virtual milliseconds, rounded up: whole times add and compare exactly on any clock. */
  after(delay: number, run: () => void): void {
    const heap = this.#heap;
    const event = { at: this.now + Math.ceil(delay), number: this.#count++, run };
    let i = heap.length;
    heap.push(event);
    while (i > 0) {
      const parent = (i - 1) >>> 1;
      if (!before(event, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = event;
  }

  /** Sends over the line: `deliver` is called once, twice or never, after a random delay each. */
  send(deliver: () => void): void {
    const { delay, duplicate, loss } = this.line;
    const copies = this.#random.uniform() < duplicate ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      if (loss > 0 && this.#random.uniform() < loss) continue;
      this.after(delay[0] + this.#random.uniform() * (delay[1] - delay[0]), deliver);
    }
  }

  /** Goes to the next event; false when there is none. */
  step(): boolean {
    const heap = this.#heap;
    const first = heap[0];
    if (!first) return false;
    const last = heap.pop()!;
    if (heap.length > 0) {
      let i = 0;
      for (;;) {
        let child = 2 * i + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
        if (!before(heap[child]!, last)) break;
        heap[i] = heap[child]!;
        i = child;
      }
      heap[i] = last;
    }
    this.now = first.at;
    first.run();
    return true;
  }
}

function before(a: { at: number; number: number }, b: { at: number; number: number }): boolean {
  return a.at < b.at || (a.at === b.at && a.number < b.number);
}
