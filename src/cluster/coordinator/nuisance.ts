/** So many refusals in so many milliseconds are enough. */
export const ENOUGH = 30;
const WINDOW = 60_000;

/** Counts what is refused of each worker, by which those are found whose messages are nonsense again and again. */
export class Nuisance {
  readonly #refusals = new Map<string, { from: number; count: number }>();

  /** @param now milliseconds of a clock that never jumps */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /** One more. @returns whether that is enough; it is counted anew then */
  refused(worker: string): boolean {
    const now = this.now();
    const known = this.#refusals.get(worker);
    const current = known && now - known.from < WINDOW ? known : { from: now, count: 0 };
    current.count++;
    this.#refusals.set(worker, current);
    if (current.count < ENOUGH) return false;
    this.#refusals.delete(worker);
    return true;
  }
}
