import type { ShapedArray } from '../engine/engine.js';
import type { CachedHeads } from './fused-program.js';

/** The fewest slots of a row; they double from here up to the context. */
const FEWEST_SLOTS = 64;

/** Slots of rows that have room for so many tokens. @param least slots that they have anyway */
export function slotsFor(tokens: number, context: number, least = 0): number {
  let slots = least || Math.min(FEWEST_SLOTS, context);
  while (slots < tokens) slots = Math.min(2 * slots, context);
  return slots;
}

/**
 * Keys and values of several sequences, for each layer [R, K, S, E]: rows R, one a sequence, of S slots. Rows that follow each
 * other are what a step is fed, and writes into in place.
 */
export class RowCache {
  readonly #heads: readonly CachedHeads[];
  readonly #context: number;
  #rows = 0;
  #slots = 0;
  /** Keys and values by layer. */
  #layers: readonly (readonly [Float32Array, Float32Array])[];
  /** What steps were fed, by their rows; made anew when the arrays are. */
  readonly #views = new Map<string, Readonly<Record<string, ShapedArray>>>();

  /** @param most slots of all rows together, which are exceeded only where no fewer would do */
  constructor(
    heads: readonly CachedHeads[],
    context: number,
    private readonly most = Number.POSITIVE_INFINITY,
  ) {
    this.#heads = heads;
    this.#context = context;
    this.#layers = heads.map(() => [new Float32Array(0), new Float32Array(0)]);
  }

  /** Slots of each row. */
  get slots(): number {
    return this.#slots;
  }

  /** What all rows take, those that are free included. */
  get bytes(): number {
    return this.#layers.flat().reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Makes room for so many rows, and tokens of the longest; `lengths` are those of the rows in use. */
  reserve(rows: number, tokens: number, lengths: readonly number[]): void {
    let slots = slotsFor(tokens, this.#context, this.#slots);
    let room = this.#rows || rows;
    while (room < rows) room *= 2;
    if (slots === this.#slots && room === this.#rows) return;
    if (room * slots > this.most) {
      // Room that the past has left behind is given up.
      slots = slotsFor(Math.max(tokens, ...lengths), this.#context);
      room = rows;
    }
    const old = this.#slots;
    this.#layers = this.#layers.map((pair, layer) => {
      const { heads, width } = this.#heads[layer]!;
      const grown = pair.map((from) => {
        const to = new Float32Array(room * heads * slots * width);
        for (const [row, length] of lengths.entries())
          for (let k = row * heads; k < (row + 1) * heads; k++)
            to.set(from.subarray(k * old * width, (k * old + length) * width), k * slots * width);
        return to;
      });
      return grown as unknown as readonly [Float32Array, Float32Array];
    });
    [this.#slots, this.#rows] = [slots, room];
    this.#views.clear();
  }

  /** `keys.i` and `values.i` of rows from one on, and the same arrays as `new_keys.i` and `new_values.i`. */
  feeds(from: number, count: number): Readonly<Record<string, ShapedArray>> {
    const key = `${from} ${count}`;
    let views = this.#views.get(key);
    if (!views) {
      const made: Record<string, ShapedArray> = {};
      for (const [layer, pair] of this.#layers.entries()) {
        const { heads, width } = this.#heads[layer]!;
        const row = heads * this.#slots * width;
        const shape = [count, heads, this.#slots, width];
        for (const [i, name] of (['keys', 'values'] as const).entries()) {
          const view = { data: pair[i]!.subarray(from * row, (from + count) * row), shape };
          made[`${name}.${layer}`] = view;
          made[`new_${name}.${layer}`] = view;
        }
      }
      this.#views.set(key, made);
      views = made;
    }
    return views;
  }

  /** A copy of what is held of tokens of a row: by layer, keys before values, by head. */
  taken(row: number, from: number, to: number): Float32Array {
    const tokens = to - from;
    const size = this.#heads.reduce((sum, { heads, width }) => sum + 2 * heads * width * tokens, 0);
    const all = new Float32Array(size);
    this.#eachPart(row, from, tokens, (part, at) => all.set(part, at));
    return all;
  }

  /** Writes what was {@link taken} of so many tokens into a row. */
  put(row: number, from: number, all: Float32Array, tokens: number): void {
    this.#eachPart(row, from, tokens, (part, at) => part.set(all.subarray(at, at + part.length)));
  }

  #eachPart(row: number, from: number, tokens: number, each: (part: Float32Array, at: number) => void): void {
    let at = 0;
    this.#eachHead((data, width, heads) => {
      for (let k = row * heads; k < (row + 1) * heads; k++) {
        const begin = (k * this.#slots + from) * width;
        each(data.subarray(begin, begin + tokens * width), at);
        at += tokens * width;
      }
    });
  }

  /** Copies the first tokens of a row to another. */
  copy(from: number, to: number, tokens: number): void {
    this.#eachHead((data, width, heads) => {
      for (let k = 0; k < heads; k++) {
        const at = (row: number) => (row * heads + k) * this.#slots * width;
        data.copyWithin(at(to), at(from), at(from) + tokens * width);
      }
    });
  }

  /** Exchanges two rows, of which so many tokens are in use at most. */
  swap(a: number, b: number, tokens: number): void {
    this.#eachHead((data, width, heads) => {
      for (let k = 0; k < heads; k++) {
        const part = (row: number) => {
          const at = (row * heads + k) * this.#slots * width;
          return data.subarray(at, at + tokens * width);
        };
        const kept = part(a).slice();
        part(a).set(part(b));
        part(b).set(kept);
      }
    });
  }

  #eachHead(each: (data: Float32Array, width: number, heads: number) => void): void {
    for (const [layer, pair] of this.#layers.entries()) {
      const { heads, width } = this.#heads[layer]!;
      for (const data of pair) each(data, width, heads);
    }
  }
}
