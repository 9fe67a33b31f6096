import type { AnySizeSession, Engine, SessionOptions, ShapedArray } from '../engine/engine.js';
import { Compiled, Sessions } from '../engine/sessions.js';
import type { SentenceModules } from '../hub/sentence-folder.js';
import type { Model } from '../model/model.js';
import { traceEmbedding } from './embedding-program.js';
import type { EncoderCodes } from './encoder-codes.js';
import { traceFusedEmbedding } from './fused-embedding.js';
import { embedsFused, tokenFeeds } from './fused-encoder.js';
import { shapedParameters } from './weights.js';

/** What texts are run with. */
export interface EmbeddingRunsOptions {
  readonly model: Model;
  /** The vector that the model's `trained` describes: all parameters, or those of its adapter. Not copied. */
  readonly parameters: Float32Array;
  /** With an adapter, the vector that its `frozen` describes. Not copied. */
  readonly frozen?: Float32Array | undefined;
  readonly sentence: SentenceModules;
  readonly engine: Engine;
  readonly compile?: SessionOptions;
  /** Weights in 8 bits, where they are: of `parameters` nothing is read then. */
  readonly codes?: EncoderCodes | undefined;
  /** The most tokens of a text. */
  readonly longest: number;
}

/** Texts that are run together. */
export interface TextGroup {
  /** Of each, shorter ones filled up. */
  readonly tokens: number;
  /** Their numbers. */
  readonly texts: readonly number[];
}

/** How texts become vectors, several in a run. */
export interface EmbeddingRuns {
  /** Which texts to run together, the longest first. @param lengths in tokens */
  group(lengths: readonly number[]): Iterable<TextGroup>;
  /** @returns their vectors, [B, E] */
  run(ids: readonly Int32Array[], tokens: number): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** By fused operators where the engine has them for such a model. */
export function embeddingRuns(options: EmbeddingRunsOptions): EmbeddingRuns {
  const { engine, model, sentence } = options;
  return engine.compileAnySize && embedsFused(model, sentence) ? new FusedRuns(options) : new SizedRuns(options);
}

/** One program serves all sizes, so texts are filled up to the longest beside them. */
class FusedRuns implements EmbeddingRuns {
  readonly #sessions = new Compiled<AnySizeSession>();
  readonly #parameters: Readonly<Record<string, ShapedArray>>;

  constructor(private readonly options: EmbeddingRunsOptions) {
    const { model, parameters, frozen = new Float32Array(0), codes } = options;
    this.#parameters = shapedParameters(model, codes?.fed ?? model.views(parameters, frozen));
  }

  group(lengths: readonly number[]): Iterable<TextGroup> {
    return alikeInLength(lengths);
  }

  async run(ids: readonly Int32Array[], T: number): Promise<Float32Array> {
    const { model, sentence, engine, compile, codes } = this.options;
    const session = await this.#sessions.of('', () =>
      engine.compileAnySize!(traceFusedEmbedding(model, sentence, engine.target, codes), {
        spinning: false,
        ...compile,
      }),
    );
    const B = ids.length;
    const own = new Float32Array(T * B);
    for (const [b, { length }] of ids.entries()) for (let t = 0; t < length; t++) own[t * B + b] = 1;
    const E = vectorWidth(model, sentence);
    const vectors = { data: new Float32Array(B * E), shape: [B, E] };
    await session.run(
      {
        ...this.#parameters,
        ...tokenFeeds(ids, T),
        own: { data: own, shape: [T, B] },
      },
      { vectors },
    );
    return vectors.data;
  }

  dispose(): Promise<void> {
    return this.#sessions.dispose();
  }
}

/** E: several poolings are joined, and layers after them may have widths of their own. */
function vectorWidth(model: Model, { poolings, after }: SentenceModules): number {
  const last = after.findLast((step) => step !== 'normalize');
  return typeof last === 'object' ? last.outputs : poolings.length * model.dimensions.width;
}

/** Tokens of a run, about: fewer leave threads idle, and more do not stay near the processor (measured: 15 % slower). */
const FUSED_TOKENS = 1024;
/** How much longer than the shortest the longest text of a run may be. */
const SLACK = 1.1;

/** Texts in groups of about the same length, which fill up little. */
export function* alikeInLength(lengths: readonly number[]): Generator<TextGroup> {
  const order = [...lengths.keys()].sort((a, b) => lengths[b]! - lengths[a]! || a - b);
  while (order.length > 0) {
    const tokens = lengths[order[0]!]!;
    const others = order.findIndex((i) => lengths[i]! * SLACK < tokens);
    const alike = others < 0 ? order.length : others;
    yield { tokens, texts: order.splice(0, Math.min(alike, Math.max(1, Math.floor(FUSED_TOKENS / tokens)))) };
  }
}

/** Each size is a program of its own, so there are few. */
class SizedRuns implements EmbeddingRuns {
  readonly #sessions: Sessions;

  constructor(private readonly options: EmbeddingRunsOptions) {
    this.#sessions = new Sessions(options.engine, { spinning: false, ...options.compile });
  }

  group(lengths: readonly number[]): Iterable<TextGroup> {
    return byPowersOfTwo(lengths, this.options.longest);
  }

  async run(ids: readonly Int32Array[], tokens: number): Promise<Float32Array> {
    const { model, sentence, parameters, frozen = new Float32Array(0) } = this.options;
    const { texts, ...feeds } = textFeeds(ids, tokens);
    const session = await this.#sessions.of(`${tokens} ${texts}`, ({ target }) =>
      traceEmbedding(model, sentence, { tokens, texts }, target),
    );
    const { vectors } = await session.run({ ...model.views(parameters, frozen), ...feeds });
    const all = vectors as Float32Array;
    return all.subarray(0, (all.length / texts) * ids.length);
  }

  dispose(): Promise<void> {
    return this.#sessions.dispose();
  }
}

/**
 * What a program of fixed sizes is fed for texts, time-major: `ids`, and `own`, 1 where a token is a text's. It has room for
 * a power of two `texts`, so that few programs serve any number.
 */
export function textFeeds(ids: readonly ArrayLike<number>[], tokens: number) {
  const texts = 2 ** Math.ceil(Math.log2(ids.length));
  const feeds = { texts, ids: new BigInt64Array(tokens * texts), own: new Float32Array(tokens * texts) };
  for (let b = 0; b < texts; b++) {
    // Rows without a text repeat the first.
    const text = ids[b] ?? ids[0]!;
    for (let t = 0; t < text.length; t++) {
      feeds.ids[t * texts + b] = BigInt(text[t]!);
      feeds.own[t * texts + b] = 1;
    }
  }
  return feeds;
}

/** Tokens of a run, about: more gain nothing and take memory. */
const RUN_TOKENS = 2048;
/** The shortest run: each length is a program of its own. */
const SHORTEST = 16;

/** Texts in groups whose length is a power of two, or the longest allowed. */
export function* byPowersOfTwo(lengths: readonly number[], longest: number): Generator<TextGroup> {
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
