/** Messages may overtake each other by so many. */
const WINDOW = 1024;

/**
 * Tells messages that come for the first time from those that somebody has kept and sends again. Each coordinator that
 * leads has a higher term than the one before, and numbers what it sends; messages may overtake each other a little.
 */
export class Replays {
  #term = -1;
  #highest = -1;
  readonly #seen = new Set<number>();

  /** @returns whether it is new; asked again it is not */
  take(term: number, sequence: number): boolean {
    if (term < this.#term) return false;
    if (term > this.#term) {
      this.#term = term;
      this.#highest = -1;
      this.#seen.clear();
    }
    if (sequence <= this.#highest - WINDOW || this.#seen.has(sequence)) return false;
    this.#seen.add(sequence);
    this.#highest = Math.max(this.#highest, sequence);
    if (this.#seen.size > 2 * WINDOW)
      for (const old of this.#seen) if (old <= this.#highest - WINDOW) this.#seen.delete(old);
    return true;
  }
}
