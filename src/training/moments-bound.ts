import { type Range, without } from './ranges.js';

/** What AdamW's moments keep to. */
export interface MomentsBound {
  /** m₁² is at most so many times m₂. */
  readonly ratio: number;
  /** m₂ is at most this. */
  readonly most: number;
}

/** Averaging in 16 bits and robust merges, which sort the two apart, cost a little; a liar gains a factor of 2 by it. */
const SLACK = 4;
/** Where m₂ has underflowed: m₁ of a millionth of a millionth moves nothing. */
const TINY = 1e-24;

/**
 * By Cauchy and Schwarz, with g the clipped gradients of all steps: m₁ = (1 − β₁) Σ β₁ᵏ gₖ and m₂ = (1 − β₂) Σ β₂ᵏ gₖ²,
 * so m₁² ≤ m₂ (1 − β₁)² / ((1 − β₂)(1 − β₁²/β₂)) where β₁² < β₂; and m₂ is at most the square of the clipped norm.
 * Means of moments keep to both as each does.
 */
export function momentsBound({
  beta1,
  beta2,
  clip,
}: {
  readonly beta1: number;
  readonly beta2: number;
  readonly clip: number;
}): MomentsBound {
  const ratio = (1 - beta1) ** 2 / ((1 - beta2) * (1 - beta1 ** 2 / beta2));
  return {
    ratio: beta1 ** 2 < beta2 && Number.isFinite(ratio) ? SLACK * ratio : Number.POSITIVE_INFINITY,
    most: clip > 0 ? SLACK * clip ** 2 : Number.POSITIVE_INFINITY,
  };
}

/**
 * Whether moments can be those of the optimiser, element by element: others would blow up, or stop, everybody's next steps.
 * Muon's are a mean of clipped gradients alone.
 *
 * @param muon the ranges of its elements, in order
 */
export function arePossible(
  moment1: Float32Array,
  moment2: Float32Array,
  { ratio, most }: MomentsBound,
  muon: readonly Range[] = [],
): boolean {
  // Infinity times 0 is no number.
  const finite = Number.isFinite(ratio) ? ratio : Number.MAX_VALUE;
  for (const { start, end } of without({ start: 0, end: moment2.length }, muon)) {
    for (let i = start; i < end; i++) {
      const [first, second] = [moment1[i]!, moment2[i]!];
      if (!(second >= 0 && second <= most && first * first <= finite * second + TINY)) return false;
    }
  }
  for (const { start, end } of muon) {
    for (let i = Math.max(0, start); i < Math.min(end, moment1.length); i++) {
      const first = moment1[i]!;
      if (!(Number.isFinite(first) && first * first <= most && moment2[i] === 0)) return false;
    }
  }
  return true;
}
