/** Events of which no one has read this many yet are dropped, so that a run without a reader keeps its memory flat. */
const MOST_UNREAD = 10_000;

/** Hands events from where they happen to one reader: an async iterable that ends, or fails, when the work does. */
export class EventQueue<T> implements AsyncIterable<T> {
  #events: T[] = [];
  #end: { readonly error?: unknown } | undefined;
  #wake: () => void = () => {};

  push(event: T): void {
    if (this.#events.length >= MOST_UNREAD) this.#events.shift();
    this.#events.push(event);
    this.#wake();
  }

  /** @param error what the reader gets thrown after the last event, in an object; left out at a good end */
  end(outcome: { readonly error?: unknown } = {}): void {
    this.#end = outcome;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    for (;;) {
      const events = this.#events;
      this.#events = [];
      yield* events;
      if (this.#events.length > 0) continue;
      if (this.#end) {
        if ('error' in this.#end) throw this.#end.error;
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
