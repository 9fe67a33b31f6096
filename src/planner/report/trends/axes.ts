import { monthsOf } from '../../laws/trends/fit.js';
import type { Trend } from '../../laws/trends/trends.js';

/** The window that a drawing shows: months since 1970 across, log₁₀ of the quantity upwards. */
export interface Axes {
  readonly left: number;
  readonly right: number;
  readonly bottom: number;
  readonly top: number;
  /** January of years that are labelled. */
  readonly years: readonly number[];
  /** Powers of ten that are labelled. */
  readonly powers: readonly number[];
}

/** log₁₀ of a trend's quantity at a point: FLOP, or how many times less compute than the first. */
export function heightOf(trend: Trend, flop: number): number {
  return trend.quantity === 'compute' ? Math.log10(flop) : Math.log10(trend.points[0]!.flop / flop);
}

/** log₁₀ of a trend's quantity on its regression line, at a time in months since 1970. */
export function lineAt(trend: Trend, month: number): number {
  const { intercept, slope } = trend.regression;
  const log2 = intercept + slope * month;
  const first = trend.quantity === 'compute' ? 0 : Math.log2(trend.points[0]!.flop);
  return (log2 + first) * Math.log10(2);
}

/** Axes that hold all points of a trend and its line between the first and the last, to whole years and powers of ten. */
export function axesOf(trend: Trend): Axes {
  const years = trend.points.map(({ date }) => Number(date.slice(0, 4)));
  const first = Math.min(...years);
  const last = Math.max(...years) + 1;
  const { from, to } = trend.endpoints;
  const heights = trend.points.map(({ flop }) => heightOf(trend, flop));
  for (const { date } of [from, to]) heights.push(lineAt(trend, monthsOf(date)));
  const bottom = Math.floor(Math.min(...heights));
  const top = Math.max(bottom + 1, Math.ceil(Math.max(...heights)));
  return {
    left: monthsOf(`${first}-01-01`),
    right: monthsOf(`${last}-01-01`),
    bottom,
    top,
    years: steps(first, last, 10),
    powers: steps(bottom, top, 8),
  };
}

/** Whole numbers from the first to the last, so far apart that there are at most so many. */
function steps(first: number, last: number, most: number): number[] {
  const stride = Math.max(1, Math.ceil((last - first) / most));
  return Array.from({ length: Math.floor((last - first) / stride) + 1 }, (_, i) => first + i * stride);
}
