import { Random } from '../../base/random.js';
import { exponentsOf, HUBER_DELTA } from './fit.js';
import { minimize } from './lbfgs.js';
import { huberObjective, type LossPoint, lawOf, type ParametricLaw, vectorOf } from './parametric.js';

/** Where a fitted number would lie with other runs from the same source. */
export interface Spread {
  /** 10th and 90th percentile, as arXiv 2203.15556 prints them. */
  readonly low: number;
  readonly high: number;
  readonly standardError: number;
}

/** Spreads of the law's numbers and of the exponent a of compute-optimal parameters. */
export type Confidence = Readonly<Record<keyof ParametricLaw | 'a', Spread>>;

/** How a bootstrap draws. */
export interface BootstrapOptions {
  /** Tables drawn; 200. */
  readonly samples?: number;
  readonly seed?: number;
  /** Huber's δ in nats of log loss; 1e-3. */
  readonly delta?: number;
}

/** The laws that {@link bootstrap} tells the spread of: each fitted to as many points, drawn with replacement. */
export function bootstrapLaws(
  points: readonly LossPoint[],
  law: ParametricLaw,
  { samples = 200, seed = 1, delta = HUBER_DELTA }: BootstrapOptions = {},
): ParametricLaw[] {
  const random = new Random(seed, 'bootstrap');
  const start = vectorOf(law);
  return Array.from({ length: samples }, () => {
    const drawn = points.map(() => points[random.below(points.length)]!);
    return lawOf(minimize(huberObjective(drawn, delta), start).x);
  });
}

/**
 * Bootstrap: refits the law to `samples` tables drawn from the points with replacement, each from the optimum of the
 * whole. The same seed gives the same figures.
 *
 * @param law the fit to all of the points
 */
export function bootstrap(
  points: readonly LossPoint[],
  law: ParametricLaw,
  options: BootstrapOptions = {},
): Confidence {
  const laws = bootstrapLaws(points, law, options).map((found) => ({ ...found, a: exponentsOf(found).a }));
  const spread = (key: keyof ParametricLaw | 'a') => spreadOf(laws.map((each) => each[key]));
  return {
    E: spread('E'),
    A: spread('A'),
    B: spread('B'),
    alpha: spread('alpha'),
    beta: spread('beta'),
    a: spread('a'),
  };
}

function spreadOf(values: number[]): Spread {
  const sorted = values.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  const mean = sorted.reduce((sum, v) => sum + v, 0) / sorted.length;
  const variance = sorted.reduce((sum, v) => sum + (v - mean) ** 2, 0) / Math.max(1, sorted.length - 1);
  return { low: at(0.1), high: at(0.9), standardError: Math.sqrt(variance) };
}
