import { setTimeout as sleep } from 'node:timers/promises';

/** When to stop asking a server that does not answer: after so many milliseconds in which it answered nobody. */
const PATIENCE = 30_000;
const FIRST_TIMEOUT = 5000;
const LONGEST_TIMEOUT = 60_000;
/**
 * A server that reads its configuration anew may lose an answer, and does so whenever a worker comes or goes. It is
 * missed after so many times what the last answers took, and not before this.
 */
const SLOWER = 8;
const LEAST_TIMEOUT = 500;
const REMEMBERED = 16;
/** Answers from which can be said what one takes. */
const ENOUGH = 4;
/** Messages of fewer bytes take as long as one of so many. */
const SMALL = 64 * 1024;
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
  /** Of the last answers, what they took and how much went with them. */
  private readonly answers: { readonly milliseconds: number; readonly bytes: number }[] = [];
  private readonly now: () => number;

  constructor({ patience = PATIENCE, now = () => performance.now() }: PatienceOptions = {}) {
    this.patience = patience;
    this.now = now;
    this.answeredAt = now();
  }

  /**
   * @param attempt gets the milliseconds it may take; a {@link PassingError} makes it start again
   * @param bytes that go with it, one way or the other
   * @throws what the last attempt threw, or the signal's reason
   */
  async keepTrying<T>(attempt: (timeout: number) => Promise<T>, signal?: AbortSignal, bytes = SMALL): Promise<T> {
    const started = this.now();
    let timeout = Math.min(this.firstTimeout(bytes), this.patience);
    for (let pause = FIRST_PAUSE; ; pause = Math.min(LONGEST_PAUSE, 2 * pause)) {
      signal?.throwIfAborted();
      const asked = this.now();
      try {
        const result = await this.interruptible(attempt(timeout), signal);
        this.answeredAt = this.now();
        this.answers.push({ milliseconds: this.answeredAt - asked, bytes });
        if (this.answers.length > REMEMBERED) this.answers.shift();
        return result;
      } catch (error) {
        if (!(error instanceof PassingError)) throw error;
        if (this.now() - Math.max(started, this.answeredAt) >= this.patience) throw error.cause ?? error;
      }
      timeout = Math.min(LONGEST_TIMEOUT, 2 * timeout);
      await sleep(pause, undefined, { signal });
    }
  }

  private firstTimeout(bytes: number): number {
    if (this.answers.length < ENOUGH) return FIRST_TIMEOUT;
    const expected = this.answers.map((one) => one.milliseconds * Math.max(1, bytes / Math.max(SMALL, one.bytes)));
    return Math.min(FIRST_TIMEOUT, Math.max(LEAST_TIMEOUT, SLOWER * Math.max(...expected)));
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
