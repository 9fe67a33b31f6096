import { Random } from '../base/random.js';
import { bootstrapLaws } from '../planner/laws/bootstrap.js';
import { fitLaw, type LawFit } from '../planner/laws/fit.js';
import { type LossPoint, lossOf, type ParametricLaw } from '../planner/laws/parametric.js';

/** Laws drawn for an interval. */
const SAMPLES = 400;
/** The numbers of a law, each of which takes a degree of freedom from the residuals. */
const NUMBERS_OF_A_LAW = 5;
/** What of the drawn losses lies between the ends of an interval. */
export const INTERVAL = 0.9;

/** A loss that a law expects, with an interval of 90 %. */
export interface ExpectedLoss {
  readonly loss: number;
  readonly low: number;
  readonly high: number;
}

/** What runs say of larger ones: a law, and laws that other runs from the same source would have led to. */
export interface Forecast {
  readonly fit: LawFit;
  /** Expected loss of a run, with where 90 % of such runs would lie. */
  at(parameters: number, tokens: number): ExpectedLoss;
}

/**
 * Fits the law to runs. An interval is that of bootstrapped laws, to each of which a residual of the fit is added, widened
 * by √(n / (n − 5)) for the five numbers that were fitted: laws alone would leave out how a single run strays.
 *
 * @throws UsageError when the runs cannot determine a law
 */
export function forecastFrom(points: readonly LossPoint[], seed: number): Forecast {
  const fit = fitLaw(points);
  const random = new Random(seed, 'residuals');
  const widened = Math.sqrt(points.length / Math.max(1, points.length - NUMBERS_OF_A_LAW));
  const residuals = points.map(
    ({ parameters, tokens, loss }) => widened * Math.log(loss / lossOf(fit.law, parameters, tokens)),
  );
  const drawn = bootstrapLaws(points, fit.law, { samples: SAMPLES, seed })
    .filter(falls)
    .map((law) => ({ law, residual: residuals[random.below(residuals.length)]! }));
  return {
    fit,
    at: (parameters, tokens) => {
      const losses = drawn.map(({ law, residual }) => lossOf(law, parameters, tokens) * Math.exp(residual));
      const sorted = losses.filter(Number.isFinite).sort((a, b) => a - b);
      const quantile = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!;
      const loss = lossOf(fit.law, parameters, tokens);
      return { loss, low: quantile((1 - INTERVAL) / 2), high: quantile((1 + INTERVAL) / 2) };
    },
  };
}

/** A draw of few different runs may say that more training does not help. */
function falls({ alpha, beta }: ParametricLaw): boolean {
  return alpha > 0 && beta > 0;
}
