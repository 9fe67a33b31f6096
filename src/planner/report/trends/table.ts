import type { Trend } from '../../laws/trends/trends.js';

/**
 * Trends as a table for people: a row each, its period and points, the doubling time by regression and by endpoints,
 * and what is published; then where the data come from.
 */
export function trendsTable(trends: readonly Trend[]): string {
  const header = ['trend', 'period', 'points', 'regression', 'endpoints', 'published', 'R²'];
  const rows = trends.map((t) => [
    t.title,
    `${t.endpoints.from.date.slice(0, 7)} to ${t.endpoints.to.date.slice(0, 7)}`,
    `${t.points.length}${t.selection === 'records' ? ' records' : ''}`,
    months(t.regression.doublingMonths),
    months(t.endpoints.doublingMonths),
    t.published ? months(t.published.doublingMonths) : '',
    t.regression.r2.toFixed(2),
  ]);
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd();
  const sources = [...new Set(trends.flatMap((t) => [t.source, ...(t.published ? [t.published.where] : [])]))];
  return [
    'Months in which the quantity doubles:',
    line(header),
    line(widths.map((width) => '-'.repeat(width))),
    ...rows.map(line),
    '',
    'Records: runs that took more compute than every one before. Endpoints use the first and the last point alone.',
    'Sources:',
    ...sources.map((source) => `  ${source}`),
    '',
  ].join('\n');
}

const months = (value: number): string => value.toFixed(1);
