import { grown } from './word-table.js';

/**
 * Numbers pairs of token ids 0, 1, 2, ... in the order in which they first come (open addressing, keys side by side).
 */
export class PairTable {
  #slots = new Int32Array(1 << 12).fill(-1);
  /** Pair p is `keys[2p], keys[2p + 1]`. */
  #keys = new Int32Array(1 << 12);
  #size = 0;

  /** How many pairs it holds. */
  get size(): number {
    return this.#size;
  }

  left(pair: number): number {
    return this.#keys[2 * pair]!;
  }

  right(pair: number): number {
    return this.#keys[2 * pair + 1]!;
  }

  /** The number of a pair, or −1 when it was never added. */
  get(left: number, right: number): number {
    return this.#slots[this.#find(left, right)]!;
  }

  /** The number of a pair, which is added when it is new. */
  add(left: number, right: number): number {
    const slot = this.#find(left, right);
    const found = this.#slots[slot]!;
    if (found >= 0) return found;
    const pair = this.#size++;
    if (2 * this.#size > this.#keys.length) this.#keys = grown(this.#keys, 2 * this.#keys.length);
    this.#keys[2 * pair] = left;
    this.#keys[2 * pair + 1] = right;
    this.#slots[slot] = pair;
    if (2 * this.#size > this.#slots.length) this.#rehash();
    return pair;
  }

  #find(left: number, right: number): number {
    const slots = this.#slots;
    const keys = this.#keys;
    const mask = slots.length - 1;
    let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca77);
    hash ^= hash >>> 15;
    let slot = hash & mask;
    for (let pair: number; (pair = slots[slot]!) >= 0; slot = (slot + 1) & mask) {
      if (keys[2 * pair] === left && keys[2 * pair + 1] === right) break;
    }
    return slot;
  }

  #rehash(): void {
    this.#slots = new Int32Array(2 * this.#slots.length).fill(-1);
    for (let pair = 0; pair < this.#size; pair++) this.#slots[this.#find(this.left(pair), this.right(pair))] = pair;
  }
}
