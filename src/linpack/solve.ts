import type { Blocks } from './blocks.js';
import type { Pivots } from './panel.js';
import type { LinpackTeam } from './team.js';
import type { Real } from './types.js';

/** Solves with the factors of a team; each block's owner does its part of the team's shared vector in its turn. */
export class FactorSolver {
  #turn = 0;

  constructor(
    private readonly blocks: Blocks,
    private readonly pivots: ReadonlyMap<number, Pivots>,
    private readonly team: LinpackTeam,
  ) {}

  /** x ← U⁻¹ L⁻¹ P x, where x is the team's shared vector, set before. All threads call it. */
  solve(): void {
    this.#inTurn(false, (block) => this.#forward(block));
    this.solveUpper();
  }

  /** x ← U⁻¹ x alone, for what the factorisation left of b. */
  solveUpper(): void {
    this.#inTurn(true, (block) => this.#backward(block));
  }

  #inTurn(backward: boolean, part: (block: number) => void): void {
    const { blocks: count } = this.blocks.distribution;
    this.team.barrier();
    for (let i = 0; i < count; i++) {
      const block = backward ? count - 1 - i : i;
      if (!this.blocks.has(block)) continue;
      this.team.awaitTurn(this.#turn + i);
      part(block);
      this.team.endTurn(this.#turn + i);
    }
    this.#turn += count;
    this.team.awaitTurn(this.#turn);
  }

  #forward(block: number): void {
    const { distribution } = this.blocks;
    const [row, width] = [distribution.start(block), distribution.width(block)];
    const x = this.team.shared;
    const pivots = this.pivots.get(block)!;
    for (let i = 0; i < width; i++) {
      const other = row + pivots[i]!;
      [x[row + i], x[other]] = [x[other]!, x[row + i]!];
    }
    const l = this.blocks.rows(block, row);
    for (let i = 1; i < width; i++) x[row + i] = x[row + i]! - dot(l, i * width, x, row, i);
    subtractRows(l, width, distribution.n - row, width, x, row, row);
  }

  #backward(block: number): void {
    const { distribution } = this.blocks;
    const [row, width] = [distribution.start(block), distribution.width(block)];
    const x = this.team.shared;
    const u = this.blocks.rows(block);
    for (let i = width - 1; i >= 0; i--) {
      const start = (row + i) * width + i;
      const rest = dot(u, start + 1, x, row + i + 1, width - 1 - i);
      x[row + i] = (x[row + i]! - rest) / u[start]!;
    }
    subtractRows(u, 0, row, width, x, row, 0);
  }
}

/** x[to + i] −= a[i] · x[from …] for rows `first` to `end` (exclusive) of a [rows, width]. */
function subtractRows(a: Real, first: number, end: number, width: number, x: Float64Array, from: number, to: number) {
  for (let i = first; i < end; i++) x[to + i] = x[to + i]! - dot(a, i * width, x, from, width);
}

/** Sum of a[p + k] · x[q + k] for `length` values, in four sums that need not wait for one another. */
export function dot(a: Real, p: number, x: Float64Array, q: number, length: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let k = 0;
  for (; k + 3 < length; k += 4) {
    s0 += a[p + k]! * x[q + k]!;
    s1 += a[p + k + 1]! * x[q + k + 1]!;
    s2 += a[p + k + 2]! * x[q + k + 2]!;
    s3 += a[p + k + 3]! * x[q + k + 3]!;
  }
  for (; k < length; k++) s0 += a[p + k]! * x[q + k]!;
  return s0 + s1 + s2 + s3;
}

/** Sum of |a[p + k]| for `length` values, in four sums as {@link dot}. */
function magnitudes(a: Real, p: number, length: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let k = 0;
  for (; k + 3 < length; k += 4) {
    s0 += Math.abs(a[p + k]!);
    s1 += Math.abs(a[p + k + 1]!);
    s2 += Math.abs(a[p + k + 2]!);
    s3 += Math.abs(a[p + k + 3]!);
  }
  for (; k < length; k++) s0 += Math.abs(a[p + k]!);
  return s0 + s1 + s2 + s3;
}

/**
 * y ← A x by all threads, each with its blocks, and beside it the sums of |A|'s rows where they are asked for.
 *
 * @param y of n values, overwritten
 * @param rowSums of n values, overwritten
 */
export function multiply(
  blocks: Blocks,
  team: LinpackTeam,
  x: Float64Array,
  y: Float64Array,
  rowSums?: Float64Array,
): void {
  const { distribution } = blocks;
  y.fill(0);
  rowSums?.fill(0);
  for (const [block, a] of blocks.entries()) {
    if (block === distribution.blocks) continue;
    const [column, width] = [distribution.start(block), distribution.width(block)];
    for (let i = 0; i < distribution.n; i++) {
      y[i] = y[i]! + dot(a, i * width, x, column, width);
      if (rowSums === undefined) continue;
      rowSums[i] = rowSums[i]! + magnitudes(a, i * width, width);
    }
  }
  team.sum(y);
  if (rowSums !== undefined) team.sum(rowSums);
}

/** The largest magnitude; NaN where a value is none. */
export function infinityNorm(values: Float64Array): number {
  let norm = 0;
  for (const value of values) if (!(Math.abs(value) <= norm)) norm = Math.abs(value);
  return norm;
}
