import type { Tokenizer } from '../data/index.js';
import { ContextWindow } from './context-window.js';
import type { Decoder } from './decoder.js';
import type { ResolvedOptions } from './options.js';
import { Sampler } from './sampler.js';

/** What came of a generation. */
export interface GenerationResult {
  /** The text that was written, without the prompt. */
  readonly text: string;
  /** Tokens written, the one that ended the text included. */
  readonly tokens: number;
  /** Tokens read before them. */
  readonly promptTokens: number;
  /** Wall time, with reading the prompt and compiling. */
  readonly seconds: number;
  /** `tokens` / `seconds`. */
  readonly tokensPerSecond: number;
  /** Why it stopped: the text ended, `maxTokens` were written, or the signal or the reader said so. */
  readonly stopped: 'end' | 'length' | 'interrupted';
}

/** What a {@link Generation} works with. */
export interface GenerationTask {
  readonly options: ResolvedOptions;
  /** Ids, at least one, at most the context. */
  readonly prompt: readonly number[];
  readonly notices: readonly string[];
  readonly tokenizer: Tokenizer;
  /** Ids below this may be chosen. */
  readonly vocabulary: number;
  readonly end: ReadonlySet<number>;
  readonly signal: AbortSignal | undefined;
  readonly acquire: () => { decoder: Decoder; release: () => void };
}

/** A text being written. Read it piece by piece, once, or ask for the {@link result} at once. */
export class Generation implements AsyncIterable<string> {
  /** What the user should be told. */
  readonly notices: readonly string[];
  readonly #task: GenerationTask;
  #pieces: AsyncGenerator<string> | undefined;
  #result: GenerationResult | undefined;

  constructor(task: GenerationTask) {
    this.notices = task.notices;
    this.#task = task;
  }

  [Symbol.asyncIterator](): AsyncGenerator<string> {
    if (this.#pieces) throw new Error('a generation can be read once');
    this.#pieces = this.#write();
    return this.#pieces;
  }

  /** Writes what is left to write and tells what came of it all. */
  async result(): Promise<GenerationResult> {
    this.#pieces ??= this.#write();
    while (!(await this.#pieces.next()).done);
    if (!this.#result) throw new Error('this generation failed, or was ended before it began');
    return this.#result;
  }

  async *#write(): AsyncGenerator<string> {
    const { options, prompt, tokenizer, vocabulary, end, signal, acquire } = this.#task;
    const { decoder, release } = acquire();
    const started = performance.now();
    const sampler = new Sampler(options);
    const window = new ContextWindow(decoder);
    const characters = tokenizer.streamDecoder();
    const ids = [...prompt];
    let text = '';
    const note = (stopped: GenerationResult['stopped']) => {
      const seconds = (performance.now() - started) / 1000;
      const tokens = ids.length - prompt.length;
      const figures = { tokens, promptTokens: prompt.length, seconds, tokensPerSecond: tokens / seconds };
      this.#result = { text, ...figures, stopped };
    };
    try {
      let stopped: GenerationResult['stopped'] = 'length';
      while (ids.length - prompt.length < options.maxTokens) {
        const logits = await window.read(ids, signal);
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
        const piece = characters.push([id]);
        text += piece;
        // Stands if the reader goes away.
        note('interrupted');
        if (piece !== '') yield piece;
      }
      const rest = characters.end();
      text += rest;
      note(stopped);
      if (rest !== '') yield rest;
    } finally {
      release();
    }
  }
}
