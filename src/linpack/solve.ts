import type { Blocks } from './blocks.js';
import type { Kernels } from './kernels.js';
import type { Pivots } from './panel.js';
import type { LinpackTeam } from './team.js';
import { type Real, zeros } from './types.js';

/**
 * Solves with the factors of a team; each block's owner does its part of the team's shared vector in its turn. The small
 * triangles are solved by loops in fp64; what they mean for the other rows is a product in the factors' precision.
 */
export class FactorSolver {
  #turn = 0;
  /** What a block takes from the rows below or above it. */
  readonly #taken: Real;

  constructor(
    private readonly blocks: Blocks,
    private readonly pivots: ReadonlyMap<number, Pivots>,
    private readonly team: LinpackTeam,
    private readonly kernels: Kernels,
  ) {
    this.#taken = zeros(kernels.type, blocks.distribution.n);
  }

  /** x ← U⁻¹ L⁻¹ P x, where x is the team's shared vector, set before. All threads call it. */
  async solve(): Promise<void> {
    await this.#inTurn(false, (block) => this.#forward(block));
    await this.solveUpper();
  }

  /** x ← U⁻¹ x alone, for what the factorisation left of b. */
  async solveUpper(): Promise<void> {
    await this.#inTurn(true, (block) => this.#backward(block));
  }

  async #inTurn(backward: boolean, part: (block: number) => Promise<void>): Promise<void> {
    const { blocks: count } = this.blocks.distribution;
    this.team.barrier();
    for (let i = 0; i < count; i++) {
      const block = backward ? count - 1 - i : i;
      if (!this.blocks.has(block)) continue;
      this.team.awaitTurn(this.#turn + i);
      await part(block);
      this.team.endTurn(this.#turn + i);
    }
    this.#turn += count;
    this.team.awaitTurn(this.#turn);
  }

  async #forward(block: number): Promise<void> {
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
    await this.#subtract(l.subarray(width * width), distribution.n - row - width, width, row, row + width);
  }

  async #backward(block: number): Promise<void> {
    const { distribution } = this.blocks;
    const [row, width] = [distribution.start(block), distribution.width(block)];
    const x = this.team.shared;
    const u = this.blocks.rows(block);
    for (let i = width - 1; i >= 0; i--) {
      const start = (row + i) * width + i;
      const rest = dot(u, start + 1, x, row + i + 1, width - 1 - i);
      x[row + i] = (x[row + i]! - rest) / u[start]!;
    }
    await this.#subtract(u, row, width, row, 0);
  }

  /** x[to + i] −= a[i] · x[from …] for `rows` rows of a [rows, width]. */
  async #subtract(a: Real, rows: number, width: number, from: number, to: number): Promise<void> {
    const x = this.team.shared;
    const taken = this.#taken.subarray(0, rows).fill(0);
    const known = zeros(this.kernels.type, width);
    known.set(x.subarray(from, from + width));
    await this.kernels.subtractProduct(taken, a, known, rows, width, 1);
    for (let i = 0; i < rows; i++) x[to + i] = x[to + i]! + taken[i]!;
  }
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
 * y ← A x by all threads, each with its blocks.
 *
 * @param kernels of A's type
 * @param y of n values, overwritten
 */
export async function multiply(blocks: Blocks, kernels: Kernels, team: LinpackTeam, x: Float64Array, y: Float64Array) {
  const { distribution } = blocks;
  y.fill(0);
  for (const [block, a] of blocks.entries()) {
    if (block === distribution.blocks) continue;
    const [column, width] = [distribution.start(block), distribution.width(block)];
    await kernels.subtractProduct(y, a, x.subarray(column, column + width), distribution.n, width, 1);
  }
  for (let i = 0; i < y.length; i++) y[i] = -y[i]!;
  team.sum(y);
}

/** The sums of |A|'s rows, by all threads, each with its blocks. */
export function rowSums(blocks: Blocks, team: LinpackTeam): Float64Array {
  const { distribution } = blocks;
  const sums = new Float64Array(distribution.n);
  for (const [block, a] of blocks.entries()) {
    if (block === distribution.blocks) continue;
    const width = distribution.width(block);
    for (let i = 0; i < sums.length; i++) sums[i] = sums[i]! + magnitudes(a, i * width, width);
  }
  team.sum(sums);
  return sums;
}

/** The largest magnitude; NaN where a value is none. */
export function infinityNorm(values: Float64Array): number {
  let norm = 0;
  for (const value of values) if (!(Math.abs(value) <= norm)) norm = Math.abs(value);
  return norm;
}
