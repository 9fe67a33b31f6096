import { Random } from '../base/random.js';
import type { Fill } from './measure.js';

/** Kinds of matrices that elimination finds hard, or that have a structure of their own. */
export const KINDS = ['random', 'ill', 'graded', 'permuted', 'banded', 'toeplitz', 'symmetric', 'sparse'] as const;
export type Kind = (typeof KINDS)[number];

/** A system of equations: A, row by row, and b. */
export interface System {
  readonly kind: Kind;
  readonly n: number;
  readonly a: Float64Array;
  readonly b: Float64Array;
}

const uniform = (random: Random): number => random.uint32() / 2 ** 32 - 0.5;

/** An entry of a kind's matrix; `scale` and `order` are of the whole matrix. */
function entry(kind: Kind, random: Random, i: number, j: number, n: number, order: readonly number[]): number {
  const value = uniform(random);
  switch (kind) {
    case 'random':
    case 'toeplitz':
    case 'symmetric':
      return value;
    case 'ill':
      // Nearly of rank one: the condition grows to about 1e9.
      return Math.sin(i + 1) * Math.cos(j + 1) + 1e-7 * value;
    case 'graded':
      return value * 10 ** (-(12 * (i + j)) / n / 2);
    case 'permuted':
      return order[i] === j ? 1 + value : 1e-3 * value;
    case 'banded':
      return Math.abs(i - j) <= 3 ? value : 0;
    case 'sparse':
      return order[i] === j ? 1 : random.below(10) === 0 ? value : 0;
  }
}

/** A system of a kind, the same for the same seed. */
export function makeSystem(kind: Kind, n: number, seed: number): System {
  const random = new Random(seed, kind);
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const k = random.below(i + 1);
    [order[i], order[k]] = [order[k]!, order[i]!];
  }
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) a[i * n + j] = entry(kind, random, i, j, n, order);
  }
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      if (kind === 'symmetric' && j < i) a[i * n + j] = a[j * n + i]!;
      if (kind === 'toeplitz' && i > 0 && j > 0) a[i * n + j] = a[(i - 1) * n + j - 1]!;
    }
  }
  return { kind, n, a, b: Float64Array.from({ length: n }, () => uniform(random)) };
}

/** Fills blocks of columns from a system. */
export const fillFrom =
  ({ a, b, n }: System): Fill =>
  (out, _n, columns, first) => {
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < columns; j++) out[i * columns + j] = first + j === n ? b[i]! : a[i * n + first + j]!;
    }
  };
