import { type FactorType, type Real, zeros } from './types.js';

/** How a matrix of n columns and its right-hand side are cut into blocks of columns and dealt to threads. */
export class Distribution {
  /** Blocks of the matrix; the right-hand side is one block more. */
  readonly blocks: number;

  constructor(
    readonly n: number,
    readonly nb: number,
    readonly size: number,
  ) {
    this.blocks = Math.ceil(n / nb);
  }

  /** Column of the matrix that block j begins with. */
  start(block: number): number {
    return Math.min(block * this.nb, this.n);
  }

  width(block: number): number {
    return block === this.blocks ? 1 : Math.min(this.nb, this.n - block * this.nb);
  }

  /** Which thread has a block: one after another, so that all have work until the end. */
  owner(block: number): number {
    return block % this.size;
  }

  /** The blocks of one thread, the right-hand side among them. */
  owned(rank: number): number[] {
    return Array.from({ length: this.blocks + 1 }, (_, block) => block).filter((block) => this.owner(block) === rank);
  }
}

/** What one thread has of [A | b]: its blocks, each [n, width], row by row, so that rows from any on are one view. */
export class Blocks {
  readonly #arrays = new Map<number, Real>();

  constructor(
    readonly distribution: Distribution,
    rank: number,
    type: FactorType,
  ) {
    for (const block of distribution.owned(rank)) {
      this.#arrays.set(block, zeros(type, distribution.n * distribution.width(block)));
    }
  }

  has(block: number): boolean {
    return this.#arrays.has(block);
  }

  /** Blocks in rising order with their arrays. */
  entries(): Iterable<[number, Real]> {
    return this.#arrays;
  }

  /** The rows of a block from `row` on. */
  rows(block: number, row = 0): Real {
    const array = this.#arrays.get(block);
    if (array === undefined) throw new Error(`this thread does not have block ${block}`);
    return array.subarray(row * this.distribution.width(block));
  }
}
