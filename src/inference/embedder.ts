import { MeanfieldError } from '../base/errors.js';
import { othersTurn } from '../base/others-turn.js';
import { encodeBeginning, type Tokenizer } from '../data/index.js';
import type { Engine, SessionOptions } from '../engine/engine.js';
import { MEAN, type SentenceModules } from '../hub/sentence-folder.js';
import type { Model } from '../model/model.js';
import { type EmbeddingRuns, embeddingRuns } from './embedding-runs.js';
import type { EncoderCodes } from './encoder-codes.js';

/** What an {@link Embedder} computes with. */
export interface EmbedderOptions {
  readonly model: Model;
  /** The vector that the model's `trained` describes: all parameters, or those of its adapter. Not copied. */
  readonly parameters: Float32Array;
  /** With an adapter, the vector that its `frozen` describes. Not copied. */
  readonly frozen?: Float32Array | undefined;
  /** Weights in 8 bits, where they are: of `parameters` nothing is read then. */
  readonly codes?: EncoderCodes | undefined;
  readonly tokenizer: Tokenizer;
  /** How vectors come of hidden states; where it is left out their mean, as sentence-transformers has it. */
  readonly sentence?: SentenceModules | undefined;
  readonly engine: Engine;
  readonly compile?: SessionOptions;
}

/** Turns texts into vectors, those of like length together. */
export class Embedder {
  readonly #runs: EmbeddingRuns;
  readonly #sentence: SentenceModules;

  constructor(private readonly options: EmbedderOptions) {
    this.#sentence = options.sentence ?? MEAN;
    this.#runs = embeddingRuns({ ...options, sentence: this.#sentence, longest: this.#longest });
  }

  /**
   * A vector for each text, in their order. What is longer than the model takes is cut at its end.
   *
   * @param signal stops between two runs of the graph
   * @param progress called after each run with the texts done so far
   * @param read called once with the tokens of all texts, those around each included, and those that
   *   are cut off, but for what is far too long to be read
   * @throws EncodeError for a text that the tokenizer cannot express
   * @throws MeanfieldError for a text without a token, or when a figure is not finite
   * @throws DOMException (AbortError) when stopped by the signal
   */
  async embed(
    texts: readonly string[],
    {
      signal,
      progress,
      read,
    }: {
      signal?: AbortSignal | undefined;
      progress?: ((texts: number) => void) | undefined;
      read?: (tokens: number) => void;
    } = {},
  ): Promise<Float32Array[]> {
    const encoded = texts.map((text, i) => this.#encode(text, i));
    read?.(encoded.reduce((sum, { tokens }) => sum + tokens, 0));
    const ids = encoded.map((text) => text.ids);
    const vectors: Float32Array[] = new Array(texts.length);
    let done = 0;
    for (const { tokens, texts: numbers } of this.#runs.group(ids.map(({ length }) => length))) {
      signal?.throwIfAborted();
      const all = await this.#runs.run(
        numbers.map((i) => ids[i]!),
        tokens,
      );
      if (!all.every(Number.isFinite))
        throw new MeanfieldError(
          "A vector of the model is not finite: its weights are not usable. Take another copy of the model's files.",
        );
      const width = all.length / numbers.length;
      for (const [b, i] of numbers.entries()) vectors[i] = all.slice(b * width, (b + 1) * width);
      done += numbers.length;
      progress?.(done);
      await othersTurn();
    }
    return vectors;
  }

  /** Frees the engine's memory. */
  async dispose(): Promise<void> {
    await this.#runs.dispose();
  }

  get #longest(): number {
    const { context } = this.options.model.dimensions;
    return Math.min(this.#sentence.maxTokens ?? context, context);
  }

  #encode(text: string, number: number): { readonly ids: Int32Array; readonly tokens: number } {
    const { tokenizer, model } = this.options;
    const { lowerCase, prompt } = this.#sentence;
    const { before, after } = tokenizer.around ?? { before: [], after: [] };
    const whole = prompt + text;
    const room = Math.max(0, this.#longest - before.length - after.length);
    const own = encodeBeginning(tokenizer, lowerCase ? whole.toLowerCase() : whole, room);
    const ids = Int32Array.from([...before, ...own.subarray(0, room), ...after]);
    if (ids.length === 0)
      throw new MeanfieldError(`Text ${number + 1} has no token, so it has no vector. Leave empty texts out.`);
    const unknown = ids.find((id) => id >= model.dimensions.vocabulary);
    if (unknown !== undefined)
      throw new MeanfieldError(
        `The tokenizer gives id ${unknown}, but the model knows ${model.dimensions.vocabulary} tokens: they do not belong together.`,
      );
    return { ids, tokens: before.length + own.length + after.length };
  }
}
