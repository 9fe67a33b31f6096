import type { HostArray, HostArrays } from '../engine/engine.js';
import { type CacheNeeds, MASKED } from './decoder-program.js';

/** The fewest slots of a cache; sizes double from here up to the context, so few programs serve all lengths. */
const FEWEST_SLOTS = 64;

/**
 * Keys and values of the tokens seen so far, for each layer in slots of one row, time-major: a new token's row is
 * written behind the last one and nothing moves.
 */
export class KeyValueCache {
  readonly #layers: number;
  readonly #needs: CacheNeeds;
  /** Elements of a slot: K · D. */
  readonly #row: number;
  readonly #context: number;
  #keys: Float32Array[] = [];
  #values: Float32Array[] = [];
  #mask = new Float32Array(0);
  #length = 0;

  constructor(layers: number, needs: CacheNeeds, context: number) {
    this.#layers = layers;
    this.#needs = needs;
    this.#row = needs.row;
    this.#context = context;
    this.reserve(0);
  }

  /** Tokens held. */
  get length(): number {
    return this.#length;
  }

  /** Slots that there is room for. */
  get slots(): number {
    return this.#mask.length;
  }

  /** Makes room for `tokens` in all, in the next size of 64, 128, 256 …, at most the context. */
  reserve(tokens: number): void {
    if (tokens > this.#context) throw new Error(`a cache of ${this.#context} tokens cannot hold ${tokens}`);
    let slots = Math.max(this.slots, Math.min(FEWEST_SLOTS, this.#context));
    while (slots < tokens) slots = Math.min(2 * slots, this.#context);
    if (slots === this.slots) return;
    const grow = (old: Float32Array | undefined) => {
      const array = new Float32Array(slots * this.#row);
      if (old) array.set(old.subarray(0, this.#length * this.#row));
      return array;
    };
    this.#keys = Array.from({ length: this.#layers }, (_, i) => grow(this.#keys[i]));
    this.#values = Array.from({ length: this.#layers }, (_, i) => grow(this.#values[i]));
    this.#mask = new Float32Array(slots).fill(MASKED).fill(0, 0, this.#length);
  }

  /** The inputs `keys.i`, `values.i`, the masks and the distances of a program of `tokens` new tokens for {@link slots}. */
  feeds(tokens: number): HostArrays {
    const feeds: Record<string, HostArray> = this.#needs.whole ? { mask: this.#mask } : {};
    const { bucket } = this.#needs;
    if (bucket) feeds.buckets = this.#buckets(bucket, tokens);
    for (const window of this.#needs.windows) feeds[`mask.${window}`] = this.#windowMask(window, tokens);
    for (let i = 0; i < this.#layers; i++) {
      feeds[`keys.${i}`] = this.#keys[i]!;
      feeds[`values.${i}`] = this.#values[i]!;
    }
    return feeds;
  }

  /** The number of the distance of each slot from each of `tokens` that come next, [T · S]. */
  #buckets(bucket: NonNullable<CacheNeeds['bucket']>, tokens: number): BigInt64Array {
    const { slots, length } = this;
    // What lies behind the cache's tokens is masked: it has the number of no distance.
    return BigInt64Array.from({ length: tokens * slots }, (_, i) => {
      const slot = i % slots;
      return slot < length ? BigInt(bucket(slot - length - Math.floor(i / slots))) : 0n;
    });
  }

  /** What each of `tokens` that come next sees of the slots through a window, [T, S]. */
  #windowMask(window: number, tokens: number): Float32Array {
    const { slots, length } = this;
    const mask = new Float32Array(tokens * slots).fill(MASKED);
    // A slot's number is its token's position.
    for (let t = 0; t < tokens; t++) {
      const first = Math.min(length, Math.max(0, length + t - window + 1));
      mask.fill(0, t * slots + first, t * slots + length);
    }
    return mask;
  }

  /** Appends the first `tokens` rows of the outputs `new_keys.i` and `new_values.i`. */
  append(outputs: HostArrays, tokens: number): void {
    this.reserve(this.#length + tokens);
    const at = this.#length * this.#row;
    const rows = (name: string) => (outputs[name] as Float32Array).subarray(0, tokens * this.#row);
    for (let i = 0; i < this.#layers; i++) {
      this.#keys[i]!.set(rows(`new_keys.${i}`), at);
      this.#values[i]!.set(rows(`new_values.${i}`), at);
    }
    this.#mask.fill(0, this.#length, this.#length + tokens);
    this.#length += tokens;
  }

  /** Forgets all tokens, keeping the memory. */
  clear(): void {
    this.#mask.fill(MASKED);
    this.#length = 0;
  }
}
