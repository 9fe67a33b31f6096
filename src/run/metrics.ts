import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { writeFileAtomic } from '../base/files/atomic.js';
import { BatchedFile } from '../base/files/batched-file.js';
import { figuresAsJson, isJsonObject, type JsonValue } from '../base/json.js';

/** One line of `metrics.jsonl`; every number in it is finite. */
export interface MetricsEvent {
  readonly type: string;
  /** Inner steps done when it happened; an event without one survives {@link truncateMetrics}. */
  readonly step?: number;
  readonly [key: string]: JsonValue | undefined;
}

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
  private constructor(private readonly file: BatchedFile) {}

  /** @param now milliseconds, by which batches are cut */
  static async open(path: string, now: () => number = Date.now): Promise<MetricsWriter> {
    return new MetricsWriter(await BatchedFile.open(path, 'a', now));
  }

  /** Adds an event. @throws what an earlier batch failed with, such as a full disk; for a figure that is not finite */
  append(event: MetricsEvent): void {
    this.file.append(new TextEncoder().encode(`${figuresAsJson(event)}\n`));
  }

  /** Hands all events to the operating system, so that other processes see them. */
  flush(): Promise<void> {
    return this.file.flush();
  }

  /** Waits until the disk has all events. */
  sync(): Promise<void> {
    return this.file.sync();
  }

  close(): Promise<void> {
    return this.file.close();
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
