import { UsageError } from '../base/errors.js';
import { othersTurn } from '../base/others-turn.js';
import type { Tokenizer } from '../data/index.js';
import { ContextWindow } from './context-window.js';
import type { ResolvedOptions } from './options.js';
import { Sampler } from './sampler.js';
import type { SequenceDecoder } from './sequences.js';
import { StopStrings } from './stop-strings.js';

/**
 * What came of a generation.
 *
 * @category Using a model
 */
export interface GenerationResult {
  /** The text that was written, without the prompt. */
  readonly text: string;
  /** Tokens written, those that ended the text included. */
  readonly tokens: number;
  /** Tokens read before them. */
  readonly promptTokens: number;
  /** Wall time from its turn on, with reading the prompt and compiling. */
  readonly seconds: number;
  /** `tokens` / `seconds`. */
  readonly tokensPerSecond: number;
  /** Why it stopped: the text ended, a text of `stop` came, `maxTokens` were written, or the signal or the reader said so. */
  readonly stopped: 'end' | 'stop' | 'length' | 'interrupted';
}

/** What a {@link Generation} works with. */
export interface GenerationTask {
  readonly options: ResolvedOptions;
  /** Ids, at least one, at most the context. */
  readonly prompt: readonly number[];
  /** Of a model that reads a source: its ids. The prompt is then what stands before all that is written. */
  readonly source?: readonly number[] | undefined;
  readonly notices: readonly string[];
  readonly tokenizer: Tokenizer;
  /** Ids below this may be chosen. */
  readonly vocabulary: number;
  readonly end: ReadonlySet<number>;
  /** Waits for a decoder; rejects when the signal gives the place up. */
  readonly acquire: (signal: AbortSignal) => Promise<{ decoder: SequenceDecoder; release: () => void }>;
}

/**
 * A text being written. Read it piece by piece, once, or ask for the {@link result} at once; the first of these begins
 * it. From its turn on it is written whether or not its reader keeps up, so that a slow reader, or one that itself asks
 * the model, holds up no one. A reader that leaves stops it after the token in work.
 *
 * @category Using a model
 */
export class Generation implements AsyncIterable<string> {
  /** What the user should be told. */
  readonly notices: readonly string[];
  readonly #task: GenerationTask;
  readonly #stopping = new AbortController();
  #writing: Promise<GenerationResult> | undefined;
  #read = false;
  #unread: string[] = [];
  #wake: () => void = () => {};

  /** @internal */
  constructor(task: GenerationTask) {
    this.notices = task.notices;
    this.#task = task;
  }

  /** The pieces of text, as they come. */
  [Symbol.asyncIterator](): AsyncGenerator<string> {
    if (this.#read) throw new UsageError('A generation can be read once. Ask for another with generate().');
    this.#read = true;
    return this.#pieces();
  }

  /** Writes what is left to write and tells what came of it all. */
  result(): Promise<GenerationResult> {
    return this.#begin();
  }

  /**
   * Stops after the token in work.
   *
   * @internal
   * @param failure makes it fail with this
   */
  stop(failure?: Error): void {
    this.#stopping.abort(failure);
  }

  async *#pieces(): AsyncGenerator<string> {
    let ended = false;
    const writing = this.#begin().finally(() => {
      ended = true;
      this.#wake();
    });
    // Heard of below, unless the reader leaves; result() tells it then.
    writing.catch(() => {});
    try {
      for (;;) {
        const pieces = this.#unread;
        this.#unread = [];
        yield* pieces;
        if (this.#unread.length > 0) continue;
        if (ended) break;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      await writing;
    } finally {
      this.stop();
    }
  }

  #begin(): Promise<GenerationResult> {
    this.#writing ??= this.#write();
    return this.#writing;
  }

  /** Hands a piece to the reader, if there is one. */
  #show(piece: string): void {
    if (piece === '') return;
    this.#unread.push(piece);
    this.#wake();
  }

  async #write(): Promise<GenerationResult> {
    const { options, prompt, source, acquire } = this.#task;
    const { signal } = this.#stopping;
    const interrupt = () => this.stop();
    options.signal?.addEventListener('abort', interrupt);
    if (options.signal?.aborted) interrupt();
    try {
      const turn = await acquire(signal).catch((error: unknown) => {
        if (signal.aborted) return undefined;
        throw error;
      });
      const started = performance.now();
      const written = turn ? await this.#writeWith(turn.decoder).finally(turn.release) : NOTHING;
      if (signal.reason instanceof Error && !isAbort(signal.reason)) throw signal.reason;
      const seconds = (performance.now() - started) / 1000;
      const tokensPerSecond = written.tokens === 0 ? 0 : written.tokens / seconds;
      return { ...written, promptTokens: (source ?? prompt).length, seconds, tokensPerSecond };
    } finally {
      options.signal?.removeEventListener('abort', interrupt);
    }
  }

  async #writeWith(decoder: SequenceDecoder): Promise<Written> {
    const { options, prompt, source, tokenizer, vocabulary, end } = this.#task;
    const sampler = new Sampler(options);
    const window = new ContextWindow(decoder);
    const characters = tokenizer.streamDecoder();
    const stops = new StopStrings(options.stop);
    const ids = [...prompt];
    let text = '';
    let stopped: GenerationResult['stopped'] | undefined;
    const add = (piece: string) => {
      const certain = stops.push(piece);
      text += certain.text;
      this.#show(certain.text);
      if (certain.stopped) stopped = 'stop';
    };
    if (source) await decoder.read?.(source);
    while (!stopped && ids.length - prompt.length < options.maxTokens) {
      const logits = await window.read(ids, this.#stopping.signal);
      if (!logits) {
        stopped = 'interrupted';
        break;
      }
      const id = sampler.sample(logits.subarray(0, vocabulary));
      ids.push(id);
      if (options.stopAtEnd && end.has(id)) {
        stopped = 'end';
        break;
      }
      add(characters.push([id]));
      // A reader that says stop at a piece is heard before the next token.
      await othersTurn();
    }
    if (stopped !== 'stop') {
      add(characters.end());
      const rest = stops.end();
      text += rest;
      this.#show(rest);
    }
    return { text, tokens: ids.length - prompt.length, stopped: stopped ?? 'length' };
  }
}

type Written = Pick<GenerationResult, 'text' | 'tokens' | 'stopped'>;

/** What comes of a generation that gave its place up before its turn. */
const NOTHING: Written = { text: '', tokens: 0, stopped: 'interrupted' };

/** Whether this is what an AbortController says when it is given no reason of its own. */
function isAbort(reason: Error): boolean {
  return reason.name === 'AbortError';
}
