import { UsageError } from '../../base/errors.js';
import type { ScalingLaw } from '../laws/laws.js';
import { computeOptimal, type Optimum } from '../laws/optimum.js';
import type { RunPlan } from './plan-run.js';

/** What a run may take: dollars, or seconds of wall time. */
export type RunLimit = { readonly usd: number } | { readonly seconds: number };

/** The largest compute-optimal model within a limit, and the run that trains it. */
export interface LargestRun {
  readonly optimum: Optimum;
  readonly plan: RunPlan;
}

/** Models from a million parameters to a thousand brains. */
const SIZES = [1e6, 1e18] as const;

/**
 * The largest model that can be trained on as many tokens as the law finds best for its size without breaking the
 * limit, to 0.1 % of its parameters.
 *
 * @param planOf the run of a model of so many parameters on so many tokens; `null` when no arrangement fits
 * @returns `null` when not even the smallest model ends in time
 * @throws UsageError when the limit is not above 0, or in dollars on a cluster without a price
 */
export function largestRun(
  limit: RunLimit,
  law: ScalingLaw,
  planOf: (parameters: number, tokens: number) => RunPlan | null,
): LargestRun | null {
  const [kind, most] = Object.entries(limit)[0]!;
  if (!(most > 0)) throw new UsageError(`A run's limit in ${kind} must be a number above 0; got ${most}.`);
  const attempt = (parameters: number): LargestRun | null => {
    const optimum = computeOptimal({ parameters }, law);
    const plan = planOf(parameters, optimum.tokens);
    if (plan === null) return null;
    if ('usd' in limit && plan.usd === null)
      throw new UsageError('A budget in dollars needs a price; this cluster has none. Give its price, or a date.');
    return ('usd' in limit ? plan.usd! : plan.seconds) <= most ? { optimum, plan } : null;
  };
  let [low, high] = SIZES.map(Math.log) as [number, number];
  let best = attempt(SIZES[0]);
  if (best === null) return null;
  while (high - low > 1e-3) {
    const middle = (low + high) / 2;
    const found = attempt(Math.exp(middle));
    if (found) best = found;
    if (found) low = middle;
    else high = middle;
  }
  return best;
}

/**
 * Seconds from one moment until a date: its midnight unless it says a time, in UTC unless it says a zone.
 *
 * @param date ISO 8601: `2026-12-31`, `2026-12-31T18:00Z`
 * @param now milliseconds since 1970
 * @throws UsageError when it is no date, or past
 */
export function secondsUntil(date: string, now: number): number {
  const iso = /^(\d{4})-(\d{2})-(\d{2})(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/.exec(date);
  // A time without a zone would be this machine's.
  const at = iso ? Date.parse(iso[4] && !iso[7] ? `${date}Z` : date) : Number.NaN;
  // Date.parse turns 30 February into March.
  const day = iso ? new Date(Date.UTC(Number(iso[1]), Number(iso[2]) - 1, Number(iso[3]))) : null;
  if (!Number.isFinite(at) || day?.getUTCDate() !== Number(iso![3]))
    throw new UsageError(`Expected a date such as 2027-06-30; got '${date.slice(0, 40)}'.`);
  if (at <= now)
    throw new UsageError(`The date ${date} is past; now it is ${new Date(now).toISOString().slice(0, 16)}Z.`);
  return (at - now) / 1000;
}
