import { devices } from './grids.js';
import type { Candidate } from './types.js';

/** The candidates that no other beats in both devices and time: what each further device buys. */
export class Front {
  /** By devices, ascending; times descend. */
  readonly #members: Candidate[] = [];

  /** Seconds that must be beaten with so many devices. */
  secondsAt(count: number): number {
    let seconds = Number.POSITIVE_INFINITY;
    for (const { arrangement, prediction } of this.#members) {
      if (devices(arrangement) > count) break;
      seconds = prediction.time.total;
    }
    return seconds;
  }

  /** Takes a candidate in if nothing beats it, and drops those that it beats. */
  offer(candidate: Candidate): void {
    const count = devices(candidate.arrangement);
    const seconds = candidate.prediction.time.total;
    if (seconds >= this.secondsAt(count)) return;
    const first = this.#members.findIndex(({ arrangement }) => devices(arrangement) >= count);
    const start = first < 0 ? this.#members.length : first;
    let end = start;
    while (end < this.#members.length && this.#members[end]!.prediction.time.total >= seconds) end++;
    this.#members.splice(start, end - start, candidate);
  }

  /** By devices, ascending. */
  get members(): readonly Candidate[] {
    return this.#members;
  }
}
