import { setImmediate } from 'node:timers/promises';
import type { Fill } from '../measure.js';
import type { Real } from '../types.js';
import type { Layout } from './layout.js';

/** What one machine has of [A | b]: for each of its blocks of columns its rows, [rows, width], row by row. */
export class LocalMatrix {
  readonly rows: number;
  readonly #columns = new Map<number, Float64Array>();

  constructor(
    readonly layout: Layout,
    readonly row: number,
    column: number,
  ) {
    this.rows = layout.rowsFrom(row, 0);
    for (const block of layout.columnBlocks(column)) {
      this.#columns.set(block, new Float64Array(this.rows * layout.width(block)));
    }
  }

  /** Blocks of columns from `from` on, rising, with their values. */
  *from(from: number): Iterable<[number, Float64Array]> {
    for (const entry of this.#columns) if (entry[0] >= from) yield entry;
  }

  /** A block of columns, its rows from the machine's row `at` on. */
  block(block: number, at = 0): Float64Array {
    const values = this.#columns.get(block);
    if (values === undefined) throw new Error(`this machine does not have block ${block}`);
    return values.subarray(at * this.layout.width(block));
  }

  /** Fills everything, a block of whole columns at a time; signs of life need not wait for all of them. */
  async fill(fill: Fill): Promise<void> {
    const { layout } = this;
    for (const [block, values] of this.#columns) {
      const width = layout.width(block);
      const whole = new Float64Array(layout.n * width);
      fill(whole, layout.n, width, layout.start(block));
      let at = 0;
      for (const i of layout.rowBlocks(this.row)) {
        const part = whole.subarray(layout.start(i) * width, layout.start(i + 1) * width);
        values.set(part, at);
        at += part.length;
      }
      await setImmediate();
    }
  }
}

/** Bytes that a machine of a grid holds: its part of the matrix, a panel twice, and what it gets of each. */
export function gridBytes({ n, nb, rows, columns }: Layout): number {
  const local = (Math.ceil(n / rows) + nb) * (Math.ceil(n / columns) + nb);
  return 8 * (local + 5 * n * nb) + 150e6;
}

/** Copies rows between matrices of `width` columns. */
export function copyRows(from: Real, p: number, to: Real, q: number, width: number, count = 1): void {
  to.set(from.subarray(p * width, (p + count) * width), q * width);
}
