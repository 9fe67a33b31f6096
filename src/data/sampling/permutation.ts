import { Random } from '../../base/random.js';

const ROUNDS = 8;

/**
 * A seeded pseudo-random order of 0 to n − 1 that is computed place by place, in constant memory: a Feistel network
 * over the next even power of two, applied again while it leads out of the range (cycle walking; Black and Rogaway,
 * "Ciphers with arbitrary finite domains", 2002).
 */
export class Permutation {
  readonly #n: number;
  readonly #half: number;
  readonly #keys: number[];

  /** @param n from 1 to 2⁵² @param keys what tells this order from others of the same seed */
  constructor(n: number, seed: number, ...keys: (number | string)[]) {
    this.#n = n;
    let bits = 1;
    while (2 ** (2 * bits) < n) bits++;
    this.#half = 2 ** bits;
    const random = new Random(seed, ...keys);
    this.#keys = Array.from({ length: ROUNDS }, () => random.uint32());
  }

  /** The element at place `i` of the order. */
  at(i: number): number {
    let x = i;
    do x = this.#shuffle(x);
    while (x >= this.#n);
    return x;
  }

  #shuffle(x: number): number {
    let left = Math.floor(x / this.#half);
    let right = x % this.#half;
    for (const key of this.#keys) {
      const mixed = (left ^ mix(right, key)) & (this.#half - 1);
      left = right;
      right = mixed;
    }
    return left * this.#half + right;
  }
}

/** Scrambles 32 bits with a key (the finaliser of MurmurHash3 around it). */
function mix(x: number, key: number): number {
  x = Math.imul(x ^ key, 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13) ^ key, 0xc2b2ae35);
  return x ^ (x >>> 16);
}
