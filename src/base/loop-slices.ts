/**
 * Does works in the order in which they were given, not more of them in a turn of the event loop than so many: what comes all at
 * once would else be one long turn, in which no timer and nobody else has its time.
 */
export class LoopSlices {
  #works: (() => void)[] = [];
  #done = 0;

  constructor(private readonly perTurn: number) {}

  add(work: () => void): void {
    this.#works.push(work);
    if (this.#works.length === 1) setImmediate(this.#slice);
  }

  readonly #slice = (): void => {
    const until = Math.min(this.#done + this.perTurn, this.#works.length);
    try {
      while (this.#done < until) this.#works[this.#done++]!();
    } finally {
      // Taken away when they are half of all: a list moves all that follows.
      if (2 * this.#done >= this.#works.length) {
        this.#works = this.#works.slice(this.#done);
        this.#done = 0;
      }
      if (this.#works.length > 0) setImmediate(this.#slice);
    }
  };
}
