import type { TimedEvents } from '../event-queue.js';
import { SharedFlow, type Transfer } from '../shared-flow.js';

/** A line in the middle that transfers share, as events on a virtual clock. */
export class Line {
  readonly #queue: TimedEvents;
  readonly #flow: SharedFlow;
  readonly #done = new Map<Transfer, () => void>();
  /** Counts what has changed, so that ends computed before do not count. */
  #version = 0;

  /** @param capacity bytes a second */
  constructor(queue: TimedEvents, capacity: number) {
    this.#queue = queue;
    this.#flow = new SharedFlow(capacity);
  }

  setCapacity(capacity: number): void {
    this.#flow.setCapacity(this.#queue.now, capacity);
    this.#arm();
  }

  /** Calls `done` once so many bytes are through, at most `cap` of them a second; gives what {@link cancel} takes. */
  send(bytes: number, cap: number, done: () => void): Transfer {
    const transfer = this.#flow.start(this.#queue.now, bytes, cap);
    this.#done.set(transfer, done);
    this.#arm();
    return transfer;
  }

  cancel(transfer: Transfer): void {
    this.#flow.cancel(this.#queue.now, transfer);
    this.#done.delete(transfer);
    this.#arm();
  }

  #arm(): void {
    const version = ++this.#version;
    const next = this.#flow.next();
    if (!next) return;
    this.#queue.at(Math.max(this.#queue.now, next.at), () => {
      if (version !== this.#version) return;
      this.#flow.complete(next);
      const done = this.#done.get(next.transfer)!;
      this.#done.delete(next.transfer);
      this.#arm();
      done();
    });
  }
}
