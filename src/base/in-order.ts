/** Handles one event after another: those that come while one is handled wait for their turn. */
export class InOrder<E> {
  readonly #events: E[] = [];
  #handling = false;

  constructor(private readonly handle: (event: E) => void) {}

  /** @returns whether all is handled; false where it waits for what is being handled just now */
  add(event: E): boolean {
    this.#events.push(event);
    if (this.#handling) return false;
    this.#handling = true;
    for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) this.handle(next);
    this.#handling = false;
    return true;
  }
}
