import { setMaxListeners } from 'node:events';
import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { MeanfieldError } from '../../base/errors.js';
import { LoopSlices } from '../../base/loop-slices.js';
import { type StartedThread, startThread } from '../../base/threads/start.js';
import { workerFile } from '../../base/worker-file.js';
import type { WeightPrecision } from '../precision.js';
import { BusyError, type CompletionEvent, type CompletionRequest, type ServedModel } from './completion.js';
import { EventBuffer } from './event-buffer.js';
import { type CompletionCommands, type CompletionStep, LOAD, type OpenAnswer, type OpenRequest } from './messages.js';

/** How a model is served. */
export interface ServeModelOptions {
  /** What it is called. Default the last part of its place. */
  readonly name?: string | undefined;
  /** A folder of an adapter, or a run's that trained one: joined with the model. */
  readonly adapter?: string | undefined;
  /** How weights are kept, of models that continue texts; others stay in single precision, with a notice. Default fp32. */
  readonly precision?: WeightPrecision | undefined;
  /** Threads of a run. Default all of the machine's. */
  readonly threads?: number | undefined;
  /** Requests that are written at once. Default 16. */
  readonly maxRunning?: number | undefined;
  /** Requests that wait for a place; more are refused. Default 256. */
  readonly maxQueue?: number | undefined;
  /** Tokens of all that is written at once, each sequence counted as the longest. Default what 2 GiB hold. */
  readonly cacheTokens?: number | undefined;
  /** Tokens of beginnings of texts that are kept for others. Default a quarter of those. */
  readonly keptTokens?: number | undefined;
  /** Milliseconds that a text may take, waiting included. Default 10 minutes. */
  readonly timeLimit?: number | undefined;
}

/** Pieces of texts that are told in a turn of the event loop: each is put together and sent within a tenth of a millisecond or so. */
const EVENTS = 8;

type Thread = StartedThread<CompletionCommands, CompletionStep>;

/** A thread with the model open in it. */
interface Opened {
  readonly thread: Thread;
  readonly answer: OpenAnswer;
}

/**
 * Opens a model in a thread of its own, for many who ask it at once. Should the thread end by itself, all that it was asked
 * fails, and what is asked after that is answered by another.
 *
 * @param place the model: a run's folder, a model's, a GGUF file, or `org/name` of the hub
 * @throws MeanfieldError when there is no model or a file of it is damaged
 */
export async function openServedModel(place: string, options: ServeModelOptions = {}): Promise<ServedModel> {
  const { adapter, precision = 'fp32', threads = availableParallelism(), cacheTokens, keptTokens } = options;
  const { maxRunning: running = 16, maxQueue: waiting = 256, timeLimit = 600_000 } = options;
  const load = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT * Object.keys(LOAD).length);
  const request = { place, adapter, precision, threads, running, waiting, cacheTokens, keptTokens, timeLimit, load };
  const model = new ThreadedModel(options.name ?? basename(place), request);
  await model.open();
  return model;
}

/** The handle of a model whose work is done in a thread. */
class ThreadedModel implements ServedModel {
  readonly name: string;
  readonly #request: OpenRequest;
  readonly #load: Int32Array;
  #opened: Promise<Opened> | undefined;
  #answer: OpenAnswer | undefined;
  #keys = 0;
  #closed = false;

  constructor(name: string, request: OpenRequest) {
    this.name = name;
    this.#request = request;
    this.#load = new Int32Array(request.load);
  }

  get context(): number {
    return this.#answer!.context;
  }

  get vocabulary(): number {
    return this.#answer!.vocabulary;
  }

  get notices(): readonly string[] {
    return this.#answer!.notices;
  }

  get tasks(): ServedModel['tasks'] {
    return new Set(this.#answer!.tasks);
  }

  async open(): Promise<void> {
    this.#answer = (await this.#thread()).answer;
  }

  encode(text: string, special: boolean, most?: number): Promise<number[]> {
    return this.#ask('encode', { text, special, most });
  }

  decode(ids: readonly number[]): Promise<string> {
    return this.#ask('decode', ids);
  }

  tokenBytes(ids: readonly number[]): Promise<Uint8Array[]> {
    return this.#ask('tokenBytes', ids);
  }

  chatPrompt(messages: readonly object[], options: Parameters<ServedModel['chatPrompt']>[1] = {}) {
    return this.#ask('chatPrompt', { messages, ...options });
  }

  async *complete(request: CompletionRequest, signal: AbortSignal): AsyncGenerator<CompletionEvent, void> {
    signal.throwIfAborted();
    const { thread } = await this.#thread();
    const events = new EventBuffer();
    const key = this.#keys++;
    let ended = false;
    const giveUp = () => {
      if (!ended) thread.ask('cancel', key).catch(() => {});
    };
    const abort = () => {
      events.fail(signal.reason);
      giveUp();
    };
    hear(signal, abort);
    thread
      .ask('complete', { key, request }, (event) => events.push(event))
      .then(
        ({ retryMs }) => {
          if (retryMs === undefined) events.end();
          else events.fail(new BusyError(Math.ceil(retryMs / 1000)));
        },
        (error: unknown) => events.fail(error),
      )
      .finally(() => {
        ended = true;
      });
    if (signal.aborted) abort();
    try {
      yield* events;
    } finally {
      signal.removeEventListener('abort', abort);
      giveUp();
    }
  }

  embed(texts: readonly string[], signal: AbortSignal) {
    return this.#given(signal, (key) => this.#ask('embed', { key, texts }));
  }

  classify(texts: readonly (string | readonly [string, string])[], signal: AbortSignal) {
    return this.#given(signal, (key) => this.#ask('classify', { key, texts }));
  }

  load() {
    const of = (part: keyof typeof LOAD) => Atomics.load(this.#load, LOAD[part]);
    const cacheBytes = of('cacheMiB') * 2 ** 20;
    return { running: of('running'), waiting: of('waiting'), cachedTokens: of('cachedTokens'), cacheBytes };
  }

  async close(): Promise<void> {
    this.#closed = true;
    const opened = this.#opened;
    this.#opened = undefined;
    await opened?.then(
      ({ thread }) => thread.close(),
      () => {},
    );
  }

  async #ask<K extends keyof CompletionCommands>(
    name: K,
    input: CompletionCommands[K][0],
  ): Promise<CompletionCommands[K][1]> {
    const { thread } = await this.#thread();
    return thread.ask(name, input);
  }

  /** What a signal gives up here at once, and in the thread between two runs. */
  async #given<T>(signal: AbortSignal, ask: (key: number) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const key = this.#keys++;
    let abort = () => {};
    const aborted = new Promise<never>((_, reject) => {
      abort = () => {
        reject(signal.reason);
        this.#ask('cancel', key).catch(() => {});
      };
    });
    hear(signal, abort);
    try {
      const answer = ask(key);
      answer.catch(() => {});
      return await Promise.race([answer, aborted]);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** The thread, started where there is none. */
  #thread(): Promise<Opened> {
    if (this.#closed) throw new MeanfieldError('The model is closed.');
    if (this.#opened) return this.#opened;
    const opened = this.#start();
    this.#opened = opened;
    const gone = () => {
      if (this.#opened === opened) this.#opened = undefined;
      this.#load.fill(0);
    };
    opened.then(({ thread }) => thread.ended.then(gone), gone);
    return opened;
  }

  async #start(): Promise<Opened> {
    const slices = new LoopSlices(EVENTS);
    const thread: Thread = startThread(workerFile('completion-worker'), 'The thread of the model', slices);
    try {
      return { thread, answer: await thread.ask('open', this.#request) };
    } catch (error) {
      await thread.close();
      throw error;
    }
  }
}

/** Calls `abort` when a signal is given. Any number of works may have one signal, where Node warns of more than 10. */
function hear(signal: AbortSignal, abort: () => void): void {
  setMaxListeners(0, signal);
  signal.addEventListener('abort', abort, { once: true });
}
