import { availableParallelism } from 'node:os';
import { setImmediate as othersTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { workerFile } from '../../base/worker-file.js';
import type { BpeModel } from '../tokenizers/train-bpe.js';
import { WordCounter, type WordCounts } from '../tokenizers/word-counts.js';
import { BpeEngine } from './bpe-engine.js';
import type { TextBatch } from './text-batches.js';
import type { WorkerAnswer, WorkerRequest } from './worker-messages.js';

/** Below this much text, starting threads costs more than they save. */
const PARALLEL_BYTES = 1 << 24;
const MOST_WORKERS = 8;
/** Words whose counts are added before others have a turn: some milliseconds. */
const WORDS_A_TURN = 1 << 15;

/** How many threads to use for so much text; 0 stands for none but the caller's. */
export function encodeWorkers(bytes: number): number {
  const cores = availableParallelism();
  return bytes < PARALLEL_BYTES || cores < 2 ? 0 : Math.min(cores, MOST_WORKERS);
}

/** Something that answers requests in order. */
interface Engine {
  ask(request: WorkerRequest): Promise<WorkerAnswer>;
  close(): Promise<void>;
}

/** Counts words and encodes text on several threads, or on the caller's. What comes out does not depend on how many. */
export class BpePool {
  readonly #engines: Engine[];
  #next = 0;

  readonly #signal: AbortSignal | undefined;

  /**
   * @param workers how many threads to start; 0 for none
   * @param signal fails whatever is asked, at once; the pool must still be closed
   */
  constructor(workers: number, signal?: AbortSignal) {
    this.#signal = signal;
    this.#engines = workers === 0 ? [inline()] : Array.from({ length: workers }, () => startWorker(signal));
  }

  /** How many batches to have under way at once. */
  get depth(): number {
    return 2 * this.#engines.length;
  }

  /** Counts the words of a batch, whose bytes are given away. */
  async count(batch: TextBatch): Promise<void> {
    await this.#someEngine().ask({ type: 'count', batch });
  }

  /** The words counted since the last call. */
  async counts(): Promise<WordCounts> {
    const answers = await Promise.all(this.#engines.map((engine) => engine.ask({ type: 'counts' })));
    const total = new WordCounter();
    for (const answer of answers) {
      if (!('counts' in answer)) continue;
      const words = answer.counts.ends.length;
      for (let from = 0; from < words; from += WORDS_A_TURN) {
        total.addCounts(answer.counts, from, Math.min(words, from + WORDS_A_TURN));
        await othersTurn();
        this.#signal?.throwIfAborted();
      }
    }
    return total.result();
  }

  /** Sets what {@link encode} encodes with. */
  async useModel(model: BpeModel): Promise<void> {
    await Promise.all(this.#engines.map((engine) => engine.ask({ type: 'model', model })));
  }

  /** The tokens of a batch (see {@link encodeBatch}), whose bytes are given away. */
  async encode(batch: TextBatch): Promise<Uint32Array> {
    const answer = await this.#someEngine().ask({ type: 'encode', batch });
    if (!('ids' in answer)) throw new Error('An encoding thread did not answer with tokens.');
    return answer.ids;
  }

  async close(): Promise<void> {
    await Promise.all(this.#engines.map((engine) => engine.close()));
  }

  #someEngine(): Engine {
    return this.#engines[this.#next++ % this.#engines.length]!;
  }
}

function inline(): Engine {
  const engine = new BpeEngine();
  return { ask: async (request) => engine.handle(request), close: async () => {} };
}

function startWorker(signal: AbortSignal | undefined): Engine {
  const worker = new Worker(workerFile('encode-worker'));
  const waiting: { resolve: (answer: WorkerAnswer) => void; reject: (error: Error) => void }[] = [];
  let failure: Error | undefined;
  const fail = (error: unknown) => {
    failure ??= signal?.aborted
      ? signal.reason
      : new MeanfieldError(`An encoding thread stopped: ${messageOf(error)}.`, { cause: error });
    for (const { reject } of waiting.splice(0)) reject(failure!);
  };
  worker.on('message', (answer: WorkerAnswer) => waiting.shift()?.resolve(answer));
  worker.on('error', fail);
  worker.on('exit', (code) => fail(`exit code ${code}`));
  signal?.addEventListener('abort', fail);
  return {
    ask: (request) =>
      new Promise((resolve, reject) => {
        if (failure !== undefined) return reject(failure);
        waiting.push({ resolve, reject });
        worker.postMessage(request, 'batch' in request ? [request.batch.bytes.buffer as ArrayBuffer] : []);
      }),
    close: async () => {
      signal?.removeEventListener('abort', fail);
      await worker.terminate();
    },
  };
}
