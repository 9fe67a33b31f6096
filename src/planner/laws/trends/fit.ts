import { UsageError } from '../../../base/errors.js';

/** A training run, or one that reaches a fixed accuracy. */
export interface TrendPoint {
  readonly model: string;
  /** ISO 8601, a day. */
  readonly date: string;
  readonly flop: number;
}

/** Which points a fit takes: all, or those whose compute passed that of every earlier one. */
export type Selection = 'all' | 'records';

/** How fast a quantity doubles, by its first and last point and by a line through all. */
export interface DoublingTime {
  readonly points: readonly TrendPoint[];
  readonly endpoints: {
    readonly from: TrendPoint;
    readonly to: TrendPoint;
    /** How many times more at the end, and in how many months. */
    readonly factor: number;
    readonly months: number;
    readonly doublingMonths: number;
  };
  readonly regression: {
    readonly doublingMonths: number;
    readonly factorPerYear: number;
    /** Share of the variance of log₂ that the line explains, 0 to 1. */
    readonly r2: number;
    /** log₂ of the quantity = intercept + slope · months since 1970. */
    readonly intercept: number;
    readonly slope: number;
  };
}

/** Days of a mean Gregorian month. */
const MONTH = 365.2425 / 12;

/** Months from 1 January 1970 to a day. */
export function monthsOf(date: string): number {
  return Date.parse(`${date}T00:00:00Z`) / 86_400_000 / MONTH;
}

/**
 * The doubling time of compute within a period (its first and last day count): by endpoints, log₂ of the last over the
 * first in the time between; by regression, least squares of log₂ on time.
 *
 * @param halving whether the quantity is efficiency, which doubles where the compute that is needed halves
 * @throws UsageError when fewer than two points of different days are left
 */
export function fitDoubling(
  all: readonly TrendPoint[],
  period: readonly [string, string],
  selection: Selection,
  halving = false,
): DoublingTime {
  const sorted = [...all].sort((a, b) => (a.date < b.date ? -1 : a.date > b.date ? 1 : a.flop - b.flop));
  // A run is a record against all before it, not only against those of the period: else its first would always be one.
  const selected = selection === 'records' ? recordsOf(sorted) : sorted;
  const points = selected.filter(({ date }) => date >= period[0] && date <= period[1]);
  const from = points[0];
  const to = points.at(-1);
  if (!from || !to || from.date === to.date) {
    throw new UsageError(
      `A doubling time needs two points of different days; ${period.join(' to ')} has ${points.length}. Widen the period.`,
    );
  }
  const sign = halving ? -1 : 1;
  const line = leastSquares(points.map(({ date, flop }) => [monthsOf(date), sign * Math.log2(flop)]));
  const months = monthsOf(to.date) - monthsOf(from.date);
  const factor = (to.flop / from.flop) ** sign;
  return {
    points,
    endpoints: { from, to, factor, months, doublingMonths: months / Math.log2(factor) },
    regression: { doublingMonths: 1 / line.slope, factorPerYear: 2 ** (12 * line.slope), ...line },
  };
}

function recordsOf(sorted: readonly TrendPoint[]): TrendPoint[] {
  let most = 0;
  return sorted.filter(({ flop }) => flop > most && (most = flop));
}

function leastSquares(points: readonly (readonly [number, number])[]): {
  intercept: number;
  slope: number;
  r2: number;
} {
  const mean = (of: 0 | 1) => points.reduce((sum, point) => sum + point[of], 0) / points.length;
  const mx = mean(0);
  const my = mean(1);
  let xx = 0;
  let xy = 0;
  let yy = 0;
  for (const [x, y] of points) {
    xx += (x - mx) ** 2;
    xy += (x - mx) * (y - my);
    yy += (y - my) ** 2;
  }
  const slope = xy / xx;
  return { intercept: my - slope * mx, slope, r2: yy === 0 ? 1 : (xy * xy) / (xx * yy) };
}
