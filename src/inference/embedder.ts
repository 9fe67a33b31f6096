import { setImmediate as othersTurn } from 'node:timers/promises';
import { MeanfieldError } from '../base/errors.js';
import type { Tokenizer } from '../data/index.js';
import type { Engine, SessionOptions } from '../engine/engine.js';
import { Sessions } from '../engine/sessions.js';
import { MEAN, type SentenceModules } from '../hub/sentence-folder.js';
import type { Model } from '../model/model.js';
import { traceEmbedding } from './embedding-program.js';

/** What an {@link Embedder} computes with. */
export interface EmbedderOptions {
  readonly model: Model;
  /** The vector that the model's `trained` describes: all parameters, or those of its adapter. Not copied. */
  readonly parameters: Float32Array;
  /** With an adapter, the vector that its `frozen` describes. Not copied. */
  readonly frozen?: Float32Array | undefined;
  readonly tokenizer: Tokenizer;
  /** How vectors come of hidden states; where it is left out their mean, as sentence-transformers has it. */
  readonly sentence?: SentenceModules | undefined;
  readonly engine: Engine;
  readonly compile?: SessionOptions;
}

/** Tokens of a run, about: more gain nothing and take memory. */
const RUN_TOKENS = 2048;
/** The shortest run: each length is a program of its own. */
const SHORTEST = 16;

/** Turns texts into vectors, those of like length together. */
export class Embedder {
  readonly #sessions: Sessions;
  readonly #sentence: SentenceModules;

  constructor(private readonly options: EmbedderOptions) {
    this.#sessions = new Sessions(options.engine, { spinning: false, ...options.compile });
    this.#sentence = options.sentence ?? MEAN;
  }

  /**
   * A vector for each text, in their order. What is longer than the model takes is cut at its end.
   *
   * @param signal stops between two runs of the graph
   * @param progress called after each run with the texts done so far
   * @throws EncodeError for a text that the tokenizer cannot express
   * @throws MeanfieldError for a text without a token, or when a figure is not finite
   * @throws DOMException (AbortError) when stopped by the signal
   */
  async embed(
    texts: readonly string[],
    { signal, progress }: { signal?: AbortSignal | undefined; progress?: ((texts: number) => void) | undefined } = {},
  ): Promise<Float32Array[]> {
    const ids = texts.map((text, i) => this.#encode(text, i));
    const vectors: Float32Array[] = new Array(texts.length);
    let done = 0;
    for (const { tokens, texts: numbers } of runsOf(
      ids.map(({ length }) => length),
      this.#longest,
    )) {
      signal?.throwIfAborted();
      const found = await this.#run(
        numbers.map((i) => ids[i]!),
        tokens,
      );
      for (const [b, i] of numbers.entries()) vectors[i] = found[b]!;
      done += numbers.length;
      progress?.(done);
      await othersTurn();
    }
    return vectors;
  }

  /** Frees the engine's memory. */
  async dispose(): Promise<void> {
    await this.#sessions.dispose();
  }

  get #longest(): number {
    const { context } = this.options.model.dimensions;
    return Math.min(this.#sentence.maxTokens ?? context, context);
  }

  #encode(text: string, number: number): Int32Array {
    const { tokenizer, model } = this.options;
    const { lowerCase, prompt } = this.#sentence;
    const { before, after } = tokenizer.around ?? { before: [], after: [] };
    const whole = prompt + text;
    const own = tokenizer.encode(lowerCase ? whole.toLowerCase() : whole);
    const room = Math.max(0, this.#longest - before.length - after.length);
    const ids = Int32Array.from([...before, ...own.subarray(0, room), ...after]);
    if (ids.length === 0)
      throw new MeanfieldError(`Text ${number + 1} has no token, so it has no vector. Leave empty texts out.`);
    const unknown = ids.find((id) => id >= model.dimensions.vocabulary);
    if (unknown !== undefined)
      throw new MeanfieldError(
        `The tokenizer gives id ${unknown}, but the model knows ${model.dimensions.vocabulary} tokens: they do not belong together.`,
      );
    return ids;
  }

  async #run(ids: readonly Int32Array[], tokens: number): Promise<Float32Array[]> {
    const { model, parameters, frozen = new Float32Array(0) } = this.options;
    // A power of two: few programs serve any number of texts.
    const texts = 2 ** Math.ceil(Math.log2(ids.length));
    const session = await this.#sessions.of(`${tokens} ${texts}`, ({ target }) =>
      traceEmbedding(model, this.#sentence, { tokens, texts }, target),
    );
    const feeds = { ids: new BigInt64Array(tokens * texts), own: new Float32Array(tokens * texts) };
    for (let b = 0; b < texts; b++) {
      // Rows without a text repeat the first.
      for (const [t, id] of (ids[b] ?? ids[0]!).entries()) {
        feeds.ids[t * texts + b] = BigInt(id);
        feeds.own[t * texts + b] = 1;
      }
    }
    const { vectors } = await session.run({ ...model.views(parameters, frozen), ...feeds });
    const all = vectors as Float32Array;
    if (!all.every(Number.isFinite))
      throw new MeanfieldError(
        "A vector of the model is not finite: its weights are not usable. Take another copy of the model's files.",
      );
    const width = all.length / texts;
    return ids.map((_, b) => all.slice(b * width, (b + 1) * width));
  }
}

/**
 * Which texts are run together: the longest first, each filled up to a power of two or to the longest allowed.
 *
 * @param lengths in tokens
 */
export function* runsOf(
  lengths: readonly number[],
  longest: number,
): Generator<{ readonly tokens: number; readonly texts: readonly number[] }> {
  const tokensOf = (length: number) => Math.min(longest, Math.max(SHORTEST, 2 ** Math.ceil(Math.log2(length))));
  const order = [...lengths.keys()].sort((a, b) => lengths[b]! - lengths[a]! || a - b);
  while (order.length > 0) {
    const tokens = tokensOf(lengths[order[0]!]!);
    const others = order.findIndex((i) => tokensOf(lengths[i]!) !== tokens);
    const alike = others < 0 ? order.length : others;
    const most = 2 ** Math.max(0, Math.floor(Math.log2(RUN_TOKENS / tokens)));
    yield { tokens, texts: order.splice(0, Math.min(alike, most)) };
  }
}
