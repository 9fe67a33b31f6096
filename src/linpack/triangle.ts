import type { Kernels } from './kernels.js';
import type { Real } from './types.js';

/**
 * Rows of a triangle that is inverted, so that to solve with it is a product; larger ones are halved, and the halves meet
 * in a product. Substitution in so few rows errs as little: partial pivoting leaves no entry above 1.
 */
const LEAF = 64;
/** Multiplications below which loops are faster than a call of ONNX Runtime (35 µs measured). */
const BY_LOOPS = 40_000;

/** A unit lower triangle cut up for {@link solveUnitLower}: its diagonal pieces, and the squares below them as matrices. */
export interface CutTriangle {
  readonly size: number;
  /** Absent in a piece of at most 64 rows. */
  readonly halves?: { readonly upper: CutTriangle; readonly square: Real; readonly lower: CutTriangle };
  /** A piece of at most 64 rows. */
  readonly leaf?: Leaf;
}

/** A small triangle [size, size], row by row, and its inverse, made when it is first wanted. */
class Leaf {
  #inverse: Real | undefined;

  constructor(
    readonly l: Real,
    readonly size: number,
  ) {}

  /** L⁻¹, with its unit diagonal and zeros above. */
  get inverse(): Real {
    this.#inverse ??= invert(this.l, this.size);
    return this.#inverse;
  }
}

function invert(l: Real, size: number): Real {
  const inverse = l.slice().fill(0);
  for (let i = 0; i < size; i++) inverse[i * size + i] = 1;
  substitute(l, size, inverse, size);
  return inverse;
}

/**
 * Cuts the triangle that starts at (first, first) of a matrix.
 *
 * @param l row by row
 * @param stride columns of `l`
 */
export function cutTriangle(l: Real, stride: number, size = stride, first = 0): CutTriangle {
  if (size <= LEAF) return { size, leaf: new Leaf(copyBlock(l, stride, first, first, size, size), size) };
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
  if (leaf !== undefined) {
    if ((size * size * columns) / 2 < BY_LOOPS) return substitute(leaf.l, size, b, columns);
    return kernels.multiplyInPlace(leaf.inverse, b, size, columns);
  }
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
