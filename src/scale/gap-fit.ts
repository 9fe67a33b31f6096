import { UsageError } from '../base/errors.js';

/** What averaging every so many steps cost a run. */
export interface GapPoint {
  readonly replicas: number;
  /** H: inner steps between two averages. */
  readonly syncEvery: number;
  /** Loss over that of one replica with the joint batch, at equal tokens, less one. */
  readonly gap: number;
}

/** gap = scale · (log₂ M)^p · H^q for M replicas averaged every H steps. */
export interface GapLaw {
  readonly scale: number;
  readonly replicasExponent: number;
  readonly stepsExponent: number;
  /** Root mean square of the errors of the gap: 0.01 is one percent of the loss. */
  readonly rmse: number;
}

/** Exponents that are tried: every 0.01 of these ranges. */
const REPLICAS_EXPONENTS = [0, 3] as const;
const STEPS_EXPONENTS = [0, 1.5] as const;
const STEP = 0.01;

/** The gap that a law expects. */
export function gapOf({ scale, replicasExponent, stepsExponent }: GapLaw, replicas: number, syncEvery: number): number {
  return scale * shapeOf(replicas, syncEvery, replicasExponent, stepsExponent);
}

/**
 * Fits the law by least squares of the gaps themselves, which may lie below 0 where there is next to none: the exponents
 * by trying all, the scale in closed form. Without runs of different H the gap is taken not to depend on it.
 *
 * @throws UsageError without runs of two different numbers of replicas
 */
export function fitGap(points: readonly GapPoint[]): GapLaw {
  const different = (key: 'replicas' | 'syncEvery') => new Set(points.map((point) => point[key])).size;
  if (different('replicas') < 2 || points.some(({ replicas }) => replicas < 2))
    throw new UsageError(
      `A gap is fitted to runs of two different numbers of replicas, of 2 or more each; got ${points.map(({ replicas }) => replicas).join(', ') || 'none'}.`,
    );
  const steps = different('syncEvery') < 2 ? [0] : grid(STEPS_EXPONENTS);
  let best: GapLaw | undefined;
  for (const replicasExponent of grid(REPLICAS_EXPONENTS)) {
    for (const stepsExponent of steps) {
      const shapes = points.map(({ replicas, syncEvery }) =>
        shapeOf(replicas, syncEvery, replicasExponent, stepsExponent),
      );
      const along = points.reduce((sum, { gap }, i) => sum + gap * shapes[i]!, 0);
      const scale = Math.max(0, along / shapes.reduce((sum, shape) => sum + shape ** 2, 0));
      const squares = points.reduce((sum, { gap }, i) => sum + (gap - scale * shapes[i]!) ** 2, 0);
      const rmse = Math.sqrt(squares / points.length);
      if (best === undefined || rmse < best.rmse) best = { scale, replicasExponent, stepsExponent, rmse };
    }
  }
  return best!;
}

function shapeOf(replicas: number, syncEvery: number, p: number, q: number): number {
  return Math.log2(replicas) ** p * syncEvery ** q;
}

function grid([from, to]: readonly [number, number]): number[] {
  return Array.from({ length: Math.round((to - from) / STEP) + 1 }, (_, i) => from + i * STEP);
}
