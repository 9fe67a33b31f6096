import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerProcess } from './server-process.js';

/**
 * Milliseconds after which what was read is read once more. A server that many ask something of while it reads may be
 * left with accounts that reach nothing any more, until it reads again (2.9.10; once in some hundred changes under load).
 */
const AGAIN = [500, 2000, 8000];
/** And from then on: the last reading of all must not be the one that leaves somebody without. */
const EVERY = 60_000;
/**
 * Milliseconds between two readings, at least, but for one that is urgent, and after a start: while a server reads,
 * answers to workers may be lost, and it refuses who connects.
 */
const BETWEEN = 1000;
const LOOK = 50;

/** Has a server read its configuration anew: soon, but not with everyone who comes, and once more when it is quieter. */
export class Readings {
  readonly #server: Pick<ServerProcess, 'reload' | 'revive'>;
  readonly #again: readonly number[];
  readonly #between: number;
  readonly #every: number;
  readonly #read: () => Promise<void>;
  #changed = false;
  #urgent = false;
  #revived = false;
  #readAt = Number.NEGATIVE_INFINITY;
  #pauses: number[] = [];
  #next: NodeJS.Timeout | undefined;
  #over = false;

  /** @param write writes the configuration as it is then */
  constructor(
    server: Pick<ServerProcess, 'reload' | 'revive'>,
    write: () => Promise<void>,
    { again = AGAIN, between = BETWEEN, every = EVERY } = {},
  ) {
    this.#server = server;
    this.#again = again;
    this.#between = between;
    this.#every = every;
    this.#read = serialized(
      () => this.#due(),
      () => this.#readNow(write),
    );
  }

  /** Resolves when the server goes by what is written from now on. @throws MeanfieldError when it refuses it or is gone */
  change(urgent = false): Promise<void> {
    this.#changed = true;
    this.#urgent ||= urgent;
    return this.#read();
  }

  /**
   * Starts the server again where it has ended, as {@link ServerProcess.revive}.
   *
   * @returns whether it has been since this was last asked, by a reading too
   */
  async revive(): Promise<boolean> {
    await this.#revive();
    const revived = this.#revived;
    this.#revived = false;
    return revived;
  }

  end(): void {
    this.#over = true;
    clearTimeout(this.#next);
  }

  async #revive(): Promise<boolean> {
    const ended = await this.#server.revive();
    if (ended) {
      this.#revived = true;
      // Its workers are about to come back.
      this.#readAt = performance.now();
    }
    return ended;
  }

  async #due(): Promise<void> {
    while (!this.#urgent && performance.now() - this.#readAt < this.#between)
      await sleep(Math.min(LOOK, this.#between));
    this.#urgent = false;
  }

  async #readNow(write: () => Promise<void>): Promise<void> {
    clearTimeout(this.#next);
    const changed = this.#changed;
    this.#changed = false;
    if (changed) this.#pauses = [...this.#again];
    await write();
    // One that had ended reads it as it starts.
    if (!(await this.#revive())) {
      await this.#server.reload();
      // The first reading makes new accounts, but only the second ties them to what they import (2.9.10).
      if (changed) await this.#server.reload();
      this.#readAt = performance.now();
    }
    const pause = this.#pauses.shift() ?? this.#every;
    if (this.#over) return;
    this.#next = setTimeout(() => void this.#read().catch(() => {}), pause);
    this.#next.unref();
  }
}

/** One after another, when each is due; calls that wait share the next run, which does for all of them. */
function serialized(due: () => Promise<void>, work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  return () => {
    next ??= running
      .catch(() => {})
      .then(due)
      .then(() => {
        next = undefined;
        running = work();
        return running;
      });
    return next;
  };
}
