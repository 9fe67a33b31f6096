import { createReadStream } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { asWriteError, syncFolder, writeFileAtomic } from '../base/atomic.js';
import { isJsonObject, type JsonValue } from '../base/json.js';

/** One line of `metrics.jsonl`. A number that is not finite is written as null. */
export interface MetricsEvent {
  readonly type: string;
  /** Inner steps done when it happened; an event without one survives {@link truncateMetrics}. */
  readonly step?: number;
  readonly [key: string]: JsonValue | undefined;
}

/** Lines gather until there are so many bytes of them or so much time has passed. */
const FLUSH_BYTES = 64 * 1024;
const FLUSH_MS = 1000;

/**
 * Appends to `metrics.jsonl`. Lines are written in batches; {@link sync} makes them outlast a power cut, so call it
 * before a checkpoint is saved, and append the events of a step before the checkpoint of that step.
 *
 * @example
 * const metrics = await MetricsWriter.open('runs/demo/metrics.jsonl');
 * metrics.append({ type: 'progress', step: 10, loss: 3.1 });
 * await metrics.sync();
 * await metrics.close();
 */
export class MetricsWriter {
  #lines = '';
  #lastFlush: number;
  #writing: Promise<void> = Promise.resolve();
  #failure: unknown;
  readonly #file: FileHandle;

  private constructor(
    readonly path: string,
    file: FileHandle,
    private readonly now: () => number,
  ) {
    this.#file = file;
    this.#lastFlush = now();
  }

  /** @param now milliseconds, by which batches are cut */
  static async open(path: string, now: () => number = Date.now): Promise<MetricsWriter> {
    try {
      const file = await open(path, 'a');
      await syncFolder(dirname(path));
      return new MetricsWriter(path, file, now);
    } catch (error) {
      throw asWriteError(error, path);
    }
  }

  /** Adds an event. @throws what an earlier batch failed with, such as a full disk */
  append(event: MetricsEvent): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#lines += `${JSON.stringify(event)}\n`;
    if (this.#lines.length >= FLUSH_BYTES || this.now() - this.#lastFlush >= FLUSH_MS) this.#write();
  }

  /** Hands all events to the operating system, so that other processes see them. */
  async flush(): Promise<void> {
    this.#write();
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Waits until the disk has all events. */
  async sync(): Promise<void> {
    await this.flush();
    await this.#file.sync();
  }

  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.#file.close();
    }
  }

  #write(): void {
    const lines = this.#lines;
    this.#lines = '';
    this.#lastFlush = this.now();
    if (lines === '') return;
    this.#writing = this.#writing
      .then(() => (this.#failure === undefined ? this.#file.appendFile(lines) : undefined))
      .catch((error: unknown) => {
        this.#failure = asWriteError(error, this.path);
      });
  }
}

/**
 * Cuts `metrics.jsonl` back to a checkpoint: events of later steps go, and lines that a crash left torn. The file is
 * read as a stream and replaced at once.
 *
 * @param step inner steps of the checkpoint; -1 to start over, when only events without a step stay
 * @returns how many lines went
 */
export async function truncateMetrics(path: string, step: number): Promise<number> {
  const missing = await stat(path).then(
    () => false,
    () => true,
  );
  if (missing) return 0;
  let dropped = 0;
  async function* kept(): AsyncGenerator<Uint8Array> {
    const encoder = new TextEncoder();
    for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
      if (belongs(line, step)) yield encoder.encode(`${line}\n`);
      else dropped++;
    }
  }
  await writeFileAtomic(path, kept());
  return dropped;
}

function belongs(line: string, step: number): boolean {
  try {
    const event: unknown = JSON.parse(line);
    return isJsonObject(event) && (typeof event.step !== 'number' || event.step <= step);
  } catch {
    return false;
  }
}
