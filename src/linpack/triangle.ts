import type { Kernels } from './kernels.js';
import type { Real } from './types.js';

/** Rows that are solved by plain loops; larger triangles are halved, and the halves meet in a product. */
const LEAF = 16;

/** A unit lower triangle cut up for {@link solveUnitLower}: its diagonal pieces, and the squares below them as matrices. */
export interface CutTriangle {
  readonly size: number;
  /** Absent in a piece of at most 16 rows. */
  readonly halves?: { readonly upper: CutTriangle; readonly square: Real; readonly lower: CutTriangle };
  /** [size, size], row by row, in a piece of at most 16 rows. */
  readonly leaf?: Real;
}

/**
 * Cuts the triangle that starts at (first, first) of a matrix.
 *
 * @param l row by row
 * @param stride columns of `l`
 */
export function cutTriangle(l: Real, stride: number, size = stride, first = 0): CutTriangle {
  if (size <= LEAF) return { size, leaf: copyBlock(l, stride, first, first, size, size) };
  const half = LEAF * Math.ceil(size / (2 * LEAF));
  return {
    size,
    halves: {
      upper: cutTriangle(l, stride, half, first),
      square: copyBlock(l, stride, first + half, first, size - half, half),
      lower: cutTriangle(l, stride, size - half, first + half),
    },
  };
}

function copyBlock(from: Real, stride: number, row: number, column: number, rows: number, columns: number): Real {
  const block = from.slice(0, rows * columns);
  for (let i = 0; i < rows; i++) {
    const start = (row + i) * stride + column;
    block.set(from.subarray(start, start + columns), i * columns);
  }
  return block;
}

/**
 * b ← L⁻¹ b by forward substitution.
 *
 * @param b [triangle.size, columns], row by row; overwritten
 */
export async function solveUnitLower(kernels: Kernels, triangle: CutTriangle, b: Real, columns: number): Promise<void> {
  const { halves, leaf, size } = triangle;
  if (leaf !== undefined) return substitute(leaf, size, b, columns);
  const { upper, square, lower } = halves!;
  await solveUnitLower(kernels, upper, b, columns);
  const rest = b.subarray(upper.size * columns);
  await kernels.subtractProduct(rest, square, b, lower.size, upper.size, columns);
  await solveUnitLower(kernels, lower, rest, columns);
}

function substitute(l: Real, size: number, b: Real, columns: number): void {
  for (let i = 1; i < size; i++) {
    for (let k = 0; k < i; k++) {
      const factor = l[i * size + k]!;
      const [to, from] = [i * columns, k * columns];
      for (let j = 0; j < columns; j++) b[to + j] = b[to + j]! - factor * b[from + j]!;
    }
  }
}
