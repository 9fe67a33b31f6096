import type { Engine, HostArrays, Session, SessionOptions } from '../engine/engine.js';
import { Sessions } from '../engine/sessions.js';
import type { Model } from '../model/model.js';
import { cacheNeeds, traceStep } from './decoder-program.js';
import { KeyValueCache } from './key-value-cache.js';

/** The most tokens of a step. A run blocks its thread, so this bounds for how long. */
const MOST_TOKENS = 128;

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
 * A model that remembers a sequence: give it tokens and it says what may come next. Programs are compiled when they
 * are first needed, one for each number of new tokens and size of cache, both powers of two.
 */
export class Decoder {
  /** The longest sequence. */
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

  constructor(options: DecoderOptions) {
    const { model, parameters } = options;
    const { layers, context } = model.dimensions;
    this.context = model.reach.written;
    this.turn = context;
    this.#options = options;
    this.#parameters = parameters instanceof Float32Array ? model.layout.views(parameters) : parameters;
    this.#sessions = new Sessions(options.engine, { spinning: false, ...options.compile });
    this.#cache = new KeyValueCache(layers, cacheNeeds(model), this.context);
  }

  /** Tokens of the sequence so far. */
  get length(): number {
    return this.#cache.length;
  }

  /**
   * Continues the sequence by a step's worth of `ids`, as many as one run takes.
   *
   * @param ids all that is known to follow: their number decides which positions count
   * @returns how many were taken and the scores of every token to follow the last of them, [V]
   * @throws Error when nothing is given, or the sequence would pass the context, or {@link turn} when it began before
   */
  async step(ids: ArrayLike<number>): Promise<{ taken: number; logits: Float32Array }> {
    const taken = Math.min(ids.length, MOST_TOKENS);
    const { length } = this;
    if (taken === 0 || length + taken > this.context) {
      throw new Error(`cannot add ${taken} tokens to ${length} of at most ${this.context}`);
    }
    const isBeyond = length + ids.length > this.turn;
    if (length > 0 && isBeyond !== this.#isBeyond) {
      throw new Error(
        `cannot continue ${length} tokens beyond ${this.turn}, where positions change: clear, and give them again`,
      );
    }
    this.#isBeyond = isBeyond;
    this.#cache.reserve(length);
    const tokens = powerOfTwo(taken);
    const session = await this.#session(tokens, this.#cache.slots);
    // The step's last tokens may be filling. They come after every true one, so none of those attends to them.
    const at = Array.from({ length: tokens }, (_, t) => Math.min(t, taken - 1));
    const outputs = await session.run({
      ...this.#parameters,
      ...this.#cache.feeds(tokens),
      ids: BigInt64Array.from(at, (t) => BigInt(ids[t]!)),
      positions: BigInt64Array.from(at, (t) => BigInt(length + t)),
      row: BigInt64Array.of(BigInt(taken - 1)),
    });
    this.#cache.append(outputs, taken);
    return { taken, logits: outputs.logits as Float32Array };
  }

  /** Forgets the sequence. */
  clear(): void {
    this.#cache.clear();
  }

  async dispose(): Promise<void> {
    await this.#sessions.dispose();
  }

  #session(tokens: number, slots: number): Promise<Session> {
    const reach = this.#isBeyond ? this.context : this.turn;
    return this.#sessions.of(`${tokens} ${slots} ${reach}`, ({ target }) =>
      traceStep(this.#options.model, { tokens, slots, reach }, target),
    );
  }
}

function powerOfTwo(n: number): number {
  return 2 ** Math.ceil(Math.log2(n));
}
