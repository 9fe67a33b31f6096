import type { Engine, HostArrays, Session, SessionOptions } from '../engine/engine.js';
import { Sessions } from '../engine/sessions.js';
import type { Model } from '../model/model.js';
import { cacheNeeds, traceStep } from './decoder-program.js';
import { KeyValueCache } from './key-value-cache.js';
import { checkStep, type SequenceDecoder } from './sequences.js';
import { traceSource } from './source-program.js';

/** The most tokens of a step. A run blocks its thread, so this bounds for how long. */
const MOST_TOKENS = 128;
/** Slots of the shortest source; longer ones have powers of two. */
const FEWEST_SOURCE = 16;

/** What a {@link Decoder} computes with. */
export interface DecoderOptions {
  readonly model: Model;
  /** The model's vector, as its layout describes it, or what its inputs are fed by name. Not copied. */
  readonly parameters: Float32Array | HostArrays;
  readonly engine: Engine;
  /** Threads do not spin by default: a decoder has several sessions, and idle ones would take the busy one's cores. */
  readonly compile?: SessionOptions;
}

/**
 * A model that remembers a sequence, by attention that every device and family has: give it tokens and it says what may come
 * next. One that reads a source is given that first ({@link Decoder.read}); what it attends to of it is computed once.
 * Programs are compiled when they are first needed, one for each number of new tokens and size of cache, both powers of two.
 */
export class Decoder implements SequenceDecoder {
  /** The longest sequence; of a model whose distances have no end, any. */
  readonly context: number;
  /**
   * Beyond how many tokens positions are others, for those before as well: a sequence that passes it is to be cleared and
   * given again. At least the context where nothing changes.
   */
  readonly turn: number;
  readonly #options: DecoderOptions;
  readonly #parameters: HostArrays;
  readonly #cache: KeyValueCache;
  readonly #sessions: Sessions;
  /** Whether what is cached has the positions of beyond {@link turn}. */
  #isBeyond = false;
  #source: { readonly slots: number; readonly feeds: HostArrays } | undefined;

  constructor(options: DecoderOptions) {
    const { model, parameters } = options;
    const { layers, context } = model.dimensions;
    const needs = cacheNeeds(model);
    this.context = needs.bucket ? Number.POSITIVE_INFINITY : model.reach.written;
    this.turn = needs.bucket ? Number.POSITIVE_INFINITY : context;
    this.#options = options;
    this.#parameters = parameters instanceof Float32Array ? model.layout.views(parameters) : parameters;
    this.#sessions = new Sessions(options.engine, { spinning: false, ...options.compile });
    this.#cache = new KeyValueCache(layers, needs, this.context);
  }

  /** Tokens of the sequence so far. */
  get length(): number {
    return this.#cache.length;
  }

  /** Reads the source of what is to be written, and forgets the sequence and the source before. @param ids one or more */
  async read(ids: readonly number[]): Promise<void> {
    this.clear();
    const slots = Math.max(FEWEST_SOURCE, powerOfTwo(ids.length));
    const session = await this.#sessions.of(`source ${slots}`, ({ target }) =>
      traceSource(this.#options.model, slots, target),
    );
    const own = Float32Array.from({ length: slots }, (_, i) => (i < ids.length ? 1 : 0));
    const source = BigInt64Array.from({ length: slots }, (_, i) => BigInt(ids[i] ?? 0));
    this.#source = { slots, feeds: { own, ...(await session.run({ ...this.#parameters, source, own })) } };
  }

  /**
   * Continues the sequence by a step's worth of `ids`, as many as one run takes.
   *
   * @param ids all that is known to follow: their number decides which positions count
   * @param most how many of them are taken at most
   * @returns how many were taken and the scores of every token to follow the last of them, [V]
   * @throws Error when nothing is given, a source is to be read before, or the sequence would pass the context, or
   * {@link turn} when it began before
   */
  async step(ids: ArrayLike<number>, most = MOST_TOKENS): Promise<{ taken: number; logits: Float32Array }> {
    const taken = Math.min(ids.length, MOST_TOKENS, most);
    const { length } = this;
    this.#isBeyond = checkStep(this, { length, beyond: this.#isBeyond }, taken, ids.length);
    this.#cache.reserve(length);
    const tokens = powerOfTwo(taken);
    const session = await this.#session(tokens, this.#cache.slots);
    // The step's last tokens may be filling. They come after every true one, so none of those attends to them.
    const at = Array.from({ length: tokens }, (_, t) => Math.min(t, taken - 1));
    const outputs = await session.run({
      ...this.#parameters,
      ...this.#cache.feeds(tokens),
      ...this.#source?.feeds,
      ids: BigInt64Array.from(at, (t) => BigInt(ids[t]!)),
      positions: BigInt64Array.from(at, (t) => BigInt(length + t)),
      row: BigInt64Array.of(BigInt(taken - 1)),
    });
    this.#cache.append(outputs, taken);
    return { taken, logits: outputs.logits as Float32Array };
  }

  /** Forgets the sequence, but not the source. */
  clear(): void {
    this.#cache.clear();
  }

  async dispose(): Promise<void> {
    await this.#sessions.dispose();
  }

  #session(tokens: number, slots: number): Promise<Session> {
    const reach = this.#isBeyond ? this.context : this.turn;
    const source = this.#source?.slots;
    return this.#sessions.of(`${tokens} ${slots} ${reach} ${source}`, ({ target }) =>
      traceStep(this.#options.model, { tokens, slots, reach, source }, target),
    );
  }
}

function powerOfTwo(n: number): number {
  return 2 ** Math.ceil(Math.log2(n));
}
