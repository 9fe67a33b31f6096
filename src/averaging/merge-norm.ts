import type { MergeMethod } from './choices.js';
import { keptPlaces } from './merge.js';

/** Elements of one run of a norm between machines: the order of sums decides their last bits, so it is fixed. */
export const NORM_RANGE = 2 ** 18;

/**
 * How many times the norm that was told, or that the contributions allow, what comes may have. Sums of squares differ in
 * their last bits between machines, and rounding to 16 or 8 bits adds less than a hundredth; rounding to 4 bits up to
 * two thirds, and error feedback sends what earlier rounds lost, at most about as much again.
 */
const TOLERANCES = { exact: 1.01, feedback: 2 } as const;
/** Squares below the least float come to 0: so much may be missing from a sum of them. */
const UNDERFLOWN = 1e-30;

/**
 * Whether what came cannot be of the norm that was told, by which outliers are found, or that is allowed. A part has at
 * most the norm of the whole, so every reducer can tell from its shard alone.
 *
 * @param norm what the sender told, or what the contributions allow
 * @param squares of the elements that came: of all, or of some
 * @param feedback whether what rounding lost is sent with the next message
 */
export function exceedsNorm(norm: number, squares: number, feedback: boolean): boolean {
  const tolerance = feedback ? TOLERANCES.feedback : TOLERANCES.exact;
  return !(squares <= (tolerance * norm) ** 2 + UNDERFLOWN);
}

/**
 * The greatest norm that a merge of contributions can have, from the norms of these. The mean: Σ w‖x‖, by the triangle
 * inequality. A trimmed mean of k values is, squared, at most the mean of their squares (Jensen), so Σ‖x‖² / k; of the
 * median, half of the values are at least as far from 0 on its side, so 2 Σ‖x‖² / n.
 *
 * @param weights of `mean`: one a contribution, of sum 1
 * @param squares one a contribution: Σ x² of what is merged
 */
export function mergedNorm(method: MergeMethod, weights: readonly number[], squares: readonly number[]): number {
  if (method === 'mean') return squares.reduce((sum, value, i) => sum + weights[i]! * Math.sqrt(value), 0);
  const n = squares.length;
  const [from, to] = keptPlaces(method, n);
  const all = squares.reduce((sum, value) => sum + value, 0);
  return Math.sqrt(all / (method === 'median' ? n / 2 : to - from));
}
