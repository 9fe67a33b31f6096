import { MeanfieldError } from '../base/errors.js';
import type { Kernels } from './kernels.js';
import { cutTriangle, solveUnitLower } from './triangle.js';
import { type FactorType, type Real, zeros } from './types.js';

/** Columns that are factored by plain loops; a wider panel is halved, and the halves meet in a product. */
const LEAF = 8;

/** Rows of a matrix that change places: row j with row `rows[j]`, in this order. */
export type Pivots = Int32Array;

/**
 * Factors tall panels with partial pivoting, recursively (Toledo, 1997): all but the narrowest columns are matrix
 * products. Keeps the memory that it needs from one panel to the next.
 */
export class PanelFactorizer {
  readonly #scratch: Real[] = [];

  /**
   * @param rows of the tallest panel
   * @param width of the widest panel
   */
  constructor(
    private readonly kernels: Kernels,
    type: FactorType,
    rows: number,
    width: number,
  ) {
    // Written once, since the system gives memory when it is first touched, which takes longer than to factor in it.
    for (let w = width; w > LEAF; w = half(w)) this.#scratch.push(zeros(type, rows * w).fill(0));
  }

  /**
   * Overwrites a panel with its factors: below the diagonal L without its unit diagonal, the rest U.
   *
   * @param a [rows, width], row by row, rows ≥ width
   * @param pivots written: `width` values from `at` on, counted from the panel's first row
   * @param column of the matrix, for messages
   * @throws MeanfieldError when a column has no pivot: the matrix is singular
   */
  async factor(a: Real, rows: number, width: number, pivots: Pivots, column: number): Promise<void> {
    await this.#factor(a, rows, width, pivots, 0, column, 0);
  }

  async #factor(a: Real, rows: number, width: number, pivots: Pivots, at: number, column: number, depth: number) {
    if (width <= LEAF) return factorLeaf(a, rows, width, pivots, at, column + at);
    const left = half(width);
    const right = width - left;
    const scratch = this.#scratch[depth]!;
    const l = scratch.subarray(0, rows * left);
    const r = scratch.subarray(rows * left, rows * width);
    split(a, rows, width, left, l, r);
    await this.#factor(l, rows, left, pivots, at, column, depth + 1);
    swapRows(r, right, pivots, at, at + left, at);
    await solveUnitLower(this.kernels, cutTriangle(l, left), r, right);
    const below = r.subarray(left * right);
    await this.kernels.subtractProduct(below, l.subarray(left * left), r, rows - left, left, right);
    await this.#factor(below, rows - left, right, pivots, at + left, column, depth + 1);
    swapRows(l.subarray(left * left), left, pivots, at + left, at + width, at + left);
    join(a, rows, width, left, l, r);
  }
}

function half(width: number): number {
  return LEAF * Math.ceil(width / (2 * LEAF));
}

/** Values of a row from which on the runtime's own copy is faster than a loop (measured: 2 against 4 ns a value at 128). */
const LONG = 64;

/** Copies the first `left` columns into `l` and the others into `r`. */
function split(a: Real, rows: number, width: number, left: number, l: Real, r: Real): void {
  const right = width - left;
  for (let i = 0; i < rows; i++) {
    copy(a, i * width, l, i * left, left);
    copy(a, i * width + left, r, i * right, right);
  }
}

/** Undoes {@link split}. */
function join(a: Real, rows: number, width: number, left: number, l: Real, r: Real): void {
  const right = width - left;
  for (let i = 0; i < rows; i++) {
    copy(l, i * left, a, i * width, left);
    copy(r, i * right, a, i * width + left, right);
  }
}

function copy(from: Real, p: number, to: Real, q: number, length: number): void {
  if (length >= LONG) to.set(from.subarray(p, p + length), q);
  else for (let j = 0; j < length; j++) to[q + j] = from[p + j]!;
}

/**
 * Exchanges rows of a matrix as pivots `from` to `to` (exclusive) say.
 *
 * @param a [rows, width], row by row; its first row is row `origin` of those that the pivots count
 */
export function swapRows(a: Real, width: number, pivots: Pivots, from: number, to: number, origin: number): void {
  for (let row = from; row < to; row++) {
    const other = pivots[row]!;
    if (other === row) continue;
    const [p, q] = [(row - origin) * width, (other - origin) * width];
    for (let j = 0; j < width; j++) {
      const value = a[p + j]!;
      a[p + j] = a[q + j]!;
      a[q + j] = value;
    }
  }
}

/** Below this a pivot has no reciprocal that is finite and normal. */
const SAFE = 2 ** -126;

/** The columns one after another: pivot, exchange, division, update of the columns to the right. */
function factorLeaf(a: Real, rows: number, width: number, pivots: Pivots, at: number, column: number): void {
  for (let j = 0; j < width; j++) {
    const row = largestBelow(a, rows, width, j);
    if (row < 0) {
      throw new MeanfieldError(
        `The matrix is singular: after elimination column ${column + j + 1} holds ${Number.isNaN(a[j * width + j]) ? 'values that are not numbers' : 'nothing but zeros'}, so it has no pivot.`,
      );
    }
    pivots[at + j] = at + row;
    swapRows(a, width, pivots, at + j, at + j + 1, at);
    const pivot = a[j * width + j]!;
    const reciprocal = Math.abs(pivot) < SAFE ? 0 : 1 / pivot;
    const top = a.slice(j * width, (j + 1) * width);
    for (let i = j + 1; i < rows; i++) {
      const start = i * width;
      const factor = reciprocal === 0 ? a[start + j]! / pivot : a[start + j]! * reciprocal;
      a[start + j] = factor;
      for (let k = j + 1; k < width; k++) a[start + k] = a[start + k]! - factor * top[k]!;
    }
  }
}

/** The first row from j on whose entry of column j is largest in magnitude; -1 where all are 0 or none is a number. */
function largestBelow(a: Real, rows: number, width: number, j: number): number {
  let row = -1;
  let largest = 0;
  for (let i = j; i < rows; i++) {
    const size = Math.abs(a[i * width + j]!);
    if (size > largest) {
      largest = size;
      row = i;
    }
  }
  return row;
}
