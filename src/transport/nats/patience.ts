import { setTimeout as sleep } from 'node:timers/promises';

/** When to stop asking a server that does not answer: after so many milliseconds in which it answered nobody. */
const PATIENCE = 30_000;
const FIRST_TIMEOUT = 5000;
const LONGEST_TIMEOUT = 60_000;
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 1000;

/** Thrown by an attempt that may succeed when it is made again. */
export class PassingError extends Error {
  override name = 'PassingError';
}

export interface PatienceOptions {
  /** Milliseconds without any answer; 30,000 unless told, well above the 10 s that a change of leader takes. */
  readonly patience?: number;
  readonly now?: () => number;
}

/**
 * Makes attempts until one succeeds. A slow line is no dead one: as long as anything sharing this object is answered,
 * all go on waiting.
 */
export class Patience {
  private answeredAt: number;
  private readonly patience: number;
  private readonly inFlight = new Set<(error: PassingError) => void>();
  private readonly now: () => number;

  constructor({ patience = PATIENCE, now = () => performance.now() }: PatienceOptions = {}) {
    this.patience = patience;
    this.now = now;
    this.answeredAt = now();
  }

  /**
   * @param attempt gets the milliseconds it may take; a {@link PassingError} makes it start again
   * @throws what the last attempt threw, or the signal's reason
   */
  async keepTrying<T>(attempt: (timeout: number) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const started = this.now();
    let timeout = Math.min(FIRST_TIMEOUT, this.patience);
    for (let pause = FIRST_PAUSE; ; pause = Math.min(LONGEST_PAUSE, 2 * pause)) {
      signal?.throwIfAborted();
      try {
        const result = await this.interruptible(attempt(timeout), signal);
        this.answeredAt = this.now();
        return result;
      } catch (error) {
        if (!(error instanceof PassingError)) throw error;
        if (this.now() - Math.max(started, this.answeredAt) >= this.patience) throw error.cause ?? error;
      }
      timeout = Math.min(LONGEST_TIMEOUT, 2 * timeout);
      await sleep(pause, undefined, { signal });
    }
  }

  /** Makes every attempt that is under way begin anew: what was asked, or the answer, is known to be lost. */
  beginAnew(): void {
    const lost = new PassingError('lost');
    for (const reject of [...this.inFlight]) reject(lost);
  }

  /** Rejects at once when the signal or {@link beginAnew} says so; what was begun ends unobserved. */
  private async interruptible<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    let interrupt!: (error: unknown) => void;
    const interrupted = new Promise<never>((_, reject) => {
      interrupt = reject;
    });
    const stop = () => interrupt(signal?.reason);
    this.inFlight.add(interrupt);
    signal?.addEventListener('abort', stop, { once: true });
    try {
      return await Promise.race([work, interrupted]);
    } finally {
      this.inFlight.delete(interrupt);
      signal?.removeEventListener('abort', stop);
    }
  }
}
