import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { pathFault } from '../../base/files/path-fault.js';
import { isJsonObject, type JsonValue } from '../../base/json.js';

/** How far a run is, by its metrics. Null where nothing tells it yet. */
export interface RunProgress {
  readonly step: number;
  /** Of a text. */
  readonly tokens?: number;
  /** Of a model of one's own. */
  readonly samples?: number;
  readonly train_loss: number | null;
  readonly val_loss: number | null;
  readonly best_val_loss: number | null;
  readonly best_step: number | null;
}

/** Goes through a run's `metrics.jsonl`; a line that is torn or strange is passed over, a missing file is empty. */
export async function readProgress(metrics: string): Promise<RunProgress> {
  const found: { -readonly [Key in keyof RunProgress]: RunProgress[Key] } = {
    step: 0,
    tokens: 0,
    train_loss: null,
    val_loss: null,
    best_val_loss: null,
    best_step: null,
  };
  for await (const event of eventsOf(metrics)) {
    const { type, step, tokens, samples, loss, val_loss } = event;
    if (typeof step === 'number') found.step = Math.max(found.step, step);
    if (typeof tokens === 'number') found.tokens = Math.max(found.tokens!, tokens);
    if (typeof samples === 'number') found.samples = Math.max(found.samples ?? 0, samples);
    if (type === 'progress' && typeof loss === 'number') found.train_loss = loss;
    if (type === 'evaluation' && typeof val_loss === 'number') {
      found.val_loss = val_loss;
      if (found.best_val_loss === null || val_loss < found.best_val_loss) {
        found.best_val_loss = val_loss;
        found.best_step = typeof step === 'number' ? step : null;
      }
    }
  }
  const { tokens: _tokens, ...ofSamples } = found;
  return found.samples === undefined ? found : ofSamples;
}

async function* eventsOf(path: string): AsyncGenerator<{ readonly [key: string]: JsonValue }> {
  try {
    for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
      const event = parse(line);
      if (isJsonObject(event)) yield event;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    const fault = (await pathFault(path, 'file')) ?? messageOf(error);
    throw new MeanfieldError(`Cannot read ${path}: ${fault}.`, { cause: error });
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
