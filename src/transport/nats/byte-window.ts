/** Bytes in flight at least, so that one chunk always goes. */
const LEAST = 1024 * 1024;
const MOST = 32 * 1024 * 1024;
/** Seconds of the line's own speed that may be in flight: enough for any latency, short enough for any time-out. */
const SECONDS = 1;

/**
 * How many bytes may be on their way at once: as many as the line carries in a second, learnt from what arrives. More
 * would wait in the server, which takes a reader that lets too much wait for dead and closes its connection.
 */
export class ByteWindow {
  private size = 4 * LEAST;
  private inFlight = 0;
  private readonly waiting: { readonly bytes: number; readonly go: () => void }[] = [];
  private measuredSince: number;
  private measured = 0;

  /** @param now milliseconds */
  constructor(private readonly now: () => number = () => performance.now()) {
    this.measuredSince = now();
  }

  /** Bytes that may be in flight. */
  get limit(): number {
    return this.size;
  }

  /** Waits for room, then runs; first come, first served. */
  async within<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    if (this.inFlight === 0) this.restart();
    if (this.waiting.length > 0 || (this.inFlight > 0 && this.inFlight + bytes > this.size)) {
      await new Promise<void>((go) => this.waiting.push({ bytes, go }));
    } else {
      this.inFlight += bytes;
    }
    try {
      const result = await work();
      this.learn(bytes);
      return result;
    } finally {
      this.inFlight -= bytes;
      this.admit();
    }
  }

  private admit(): void {
    for (let next = this.waiting[0]; next !== undefined; next = this.waiting[0]) {
      if (this.inFlight > 0 && this.inFlight + next.bytes > this.size) return;
      this.waiting.shift();
      this.inFlight += next.bytes;
      next.go();
    }
  }

  /** A pause must not look like a slow line. */
  private restart(): void {
    this.measuredSince = this.now();
    this.measured = 0;
  }

  private learn(bytes: number): void {
    this.measured += bytes;
    const seconds = (this.now() - this.measuredSince) / 1000;
    if (this.measured < this.size && seconds < SECONDS) return;
    const fits = (this.measured / Math.max(seconds, 1e-3)) * SECONDS;
    // Half way each time: one fast or slow moment says little.
    this.size = Math.min(MOST, Math.max(LEAST, (this.size + fits) / 2));
    this.restart();
  }
}
