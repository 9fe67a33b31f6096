import { monthsOf } from '../../laws/trends/fit.js';
import type { Trend } from '../../laws/trends/trends.js';
import { axesOf, heightOf, lineAt } from './axes.js';

/**
 * A trend as characters: `o` a run, `.` the regression line; time to the right, powers of ten upwards.
 *
 * @param width of the drawing without its labels, characters
 */
export function trendPlot(trend: Trend, width = 64, height = 14): string {
  const axes = axesOf(trend);
  const column = (month: number) => Math.round(((month - axes.left) / (axes.right - axes.left)) * (width - 1));
  const row = (log: number) => Math.round(((axes.top - log) / (axes.top - axes.bottom)) * (height - 1));
  const cells = Array.from({ length: height }, () => Array<string>(width).fill(' '));
  const { from, to } = trend.endpoints;
  for (let x = column(monthsOf(from.date)); x <= column(monthsOf(to.date)); x++) {
    const y = row(lineAt(trend, axes.left + (x / (width - 1)) * (axes.right - axes.left)));
    // The column's month may lie half a column beyond the line's ends, which the axes are made for.
    cells[Math.min(Math.max(y, 0), height - 1)]![x] = '.';
  }
  for (const { date, flop } of trend.points) cells[row(heightOf(trend, flop))]![column(monthsOf(date))] = 'o';

  const labels = new Map(axes.powers.map((power) => [row(power), `1e${power}`]));
  const below = Array<string>(width + 4).fill(' ');
  for (const year of axes.years) {
    const start = column(monthsOf(`${year}-01-01`));
    // A label never runs into the one before.
    if (start === 0 || below[start - 1] === ' ') below.splice(start, 4, ...String(year));
  }
  const quantity = trend.quantity === 'compute' ? 'FLOP' : 'times less compute than the first';
  return [
    `${trend.title}: ${quantity}`,
    ...cells.map((line, y) => `${(labels.get(y) ?? '').padStart(5)} |${line.join('')}`.trimEnd()),
    `      +${'-'.repeat(width)}`,
    `       ${below.join('')}`.trimEnd(),
    '',
  ].join('\n');
}
