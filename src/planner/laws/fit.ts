import { UsageError } from '../../base/errors.js';
import { type Minimum, minimize } from './lbfgs.js';
import { huberObjective, type LossPoint, lawOf, lossOf, type ParametricLaw } from './parametric.js';

/** Huber's δ of arXiv 2203.15556, in nats of log loss. */
export const HUBER_DELTA = 1e-3;

/** The law has five numbers; one point more leaves a residual to judge it by. */
const FEWEST_POINTS = 6;

/** Every second value of the grid of arXiv 2203.15556: all reach the same optimum that the whole grid reaches. */
const GRID = { a: [0, 10, 20], b: [0, 10, 20], e: [-1, 0, 1], alpha: [0, 0.5, 1], beta: [0, 0.5, 1] } as const;

/** Iterations that every start is given, and how many of the best are then followed to their ends. */
const FIRST_ITERATIONS = 30;
const FOLLOWED = 12;

/** A law fitted to points, and how well it fits them. */
export interface LawFit {
  readonly law: ParametricLaw;
  readonly points: number;
  /** The summed Huber loss at the optimum. */
  readonly objective: number;
  /** Root mean square of the error in loss, nats a token, and in log loss. */
  readonly rmse: number;
  readonly rmseLog: number;
  /** Compute-optimal parameters grow as FLOP^a, tokens as FLOP^b: a = β/(α+β), b = α/(α+β). */
  readonly exponents: { readonly a: number; readonly b: number };
  /** Searches started, those that were followed to their ends, and those of them that ended here (to 1e-6). */
  readonly starts: { readonly tried: number; readonly followed: number; readonly agreeing: number };
}

/**
 * Fits L(N, D) = E + A/N^α + B/D^β by approach 3 of Hoffmann et al. (arXiv 2203.15556): Huber loss on log loss, summed,
 * minimised by L-BFGS from a grid of starts.
 *
 * @throws UsageError when the points cannot determine five numbers
 */
export function fitLaw(points: readonly LossPoint[], delta = HUBER_DELTA): LawFit {
  checkPoints(points);
  const objective = huberObjective(points, delta);
  const begun: Minimum[] = [];
  for (const a of GRID.a)
    for (const b of GRID.b)
      for (const e of GRID.e)
        for (const alpha of GRID.alpha)
          for (const beta of GRID.beta)
            begun.push(minimize(objective, [a, b, e, alpha, beta], { iterations: FIRST_ITERATIONS }));
  const ends = begun
    .sort((p, q) => p.value - q.value)
    .slice(0, FOLLOWED)
    .map(({ x }) => minimize(objective, x));
  const best = ends.reduce((least, end) => (end.value < least.value ? end : least));
  const law = lawOf(best.x);
  const { alpha, beta } = law;
  if (!(alpha > 0) || !(beta > 0))
    throw new UsageError(
      `The fit gives the exponents α ${alpha.toPrecision(4)} and β ${beta.toPrecision(4)}: in this table loss does not fall with parameters or with tokens. Expected runs in which more of each lowers the loss; check the columns.`,
    );
  const errors = points.map(({ parameters, tokens, loss }) => [lossOf(law, parameters, tokens), loss] as const);
  return {
    law,
    points: points.length,
    objective: best.value,
    rmse: rootMeanSquare(errors.map(([got, loss]) => got - loss)),
    rmseLog: rootMeanSquare(errors.map(([got, loss]) => Math.log(got / loss))),
    exponents: exponentsOf(law),
    starts: {
      tried: begun.length,
      followed: ends.length,
      agreeing: ends.filter(({ value }) => value <= best.value * (1 + 1e-6)).length,
    },
  };
}

/** How compute-optimal parameters (a) and tokens (b) grow with compute. */
export function exponentsOf({ alpha, beta }: ParametricLaw): { readonly a: number; readonly b: number } {
  return { a: beta / (alpha + beta), b: alpha / (alpha + beta) };
}

/**
 * The points without the `count` that have the fewest tokens per parameter: far from any optimum, they follow the law
 * least (the replication, arXiv 2404.10102, leaves out five of 245).
 */
export function withoutFewestTokens(points: readonly LossPoint[], count: number): readonly LossPoint[] {
  const ratio = ({ tokens, parameters }: LossPoint) => tokens / parameters;
  const out = new Set([...points].sort((p, q) => ratio(p) - ratio(q)).slice(0, count));
  return points.filter((point) => !out.has(point));
}

function checkPoints(points: readonly LossPoint[]): void {
  if (points.length < FEWEST_POINTS)
    throw new UsageError(
      `A fit of five numbers needs at least ${FEWEST_POINTS} runs; got ${points.length}. Add rows, or leave fewer out.`,
    );
  for (const key of ['parameters', 'tokens'] as const) {
    const different = new Set(points.map((point) => point[key])).size;
    if (different < 3)
      throw new UsageError(
        `A fit needs runs with at least 3 different numbers of ${key}; got ${different}. Without them its exponent is anyone's guess.`,
      );
  }
}

function rootMeanSquare(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
}
