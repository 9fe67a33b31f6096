import { devices } from './grids.js';
import type { Candidate } from './types.js';

/** Parts of a cluster below one in so many are another cluster. */
const SMALLEST = 128;

/** The fastest candidate for a whole cluster, for half of it, a quarter, and so on: what each doubling buys. */
export class Front {
  /** Most devices of each size, descending by halves. */
  readonly #sizes: number[] = [];
  readonly #best: (Candidate | undefined)[] = [];

  /** @param most devices of the cluster */
  constructor(most: number) {
    for (let size = most; size >= Math.max(1, most / SMALLEST); size = Math.floor(size / 2)) this.#sizes.push(size);
  }

  /** Seconds that must be beaten with so many devices: those of the smallest size that holds them. */
  secondsAt(count: number): number {
    return this.#best[this.#last(count)]?.prediction.time.total ?? Number.POSITIVE_INFINITY;
  }

  /** Takes a candidate in for every size that it fits in and is the fastest of. */
  offer(candidate: Candidate): void {
    const seconds = candidate.prediction.time.total;
    for (let i = this.#last(devices(candidate.arrangement)); i >= 0; i--) {
      const known = this.#best[i];
      // Larger sizes hold all that smaller ones do: what loses here loses there.
      if (known !== undefined && known.prediction.time.total <= seconds) return;
      this.#best[i] = candidate;
    }
  }

  /** The best of each size that none of fewer devices beats, by devices, ascending. */
  get members(): readonly Candidate[] {
    return [...new Set(this.#best.toReversed())].filter((candidate) => candidate !== undefined);
  }

  #last(count: number): number {
    let last = this.#sizes.length - 1;
    while (last > 0 && this.#sizes[last]! < count) last--;
    return last;
  }
}
