import { monthsOf } from '../../laws/trends/fit.js';
import type { Trend } from '../../laws/trends/trends.js';
import { axesOf, heightOf, lineAt } from './axes.js';

const WIDTH = 420;
const HEIGHT = 300;
const MARGIN = { left: 48, right: 12, top: 44, bottom: 28 };

/**
 * Trends as one SVG, a panel each, two in a row: runs as points (their names as tooltips), the regression as a line,
 * the endpoints as a dashed one. Text and axes take the colour of the page.
 */
export function trendsSvg(trends: readonly Trend[]): string {
  const rows = Math.ceil(trends.length / 2);
  const panels = trends.map((trend, i) => panel(trend, (i % 2) * WIDTH, Math.floor(i / 2) * HEIGHT));
  const width = Math.min(2, trends.length) * WIDTH;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${rows * HEIGHT}" role="img" ` +
    `aria-label="Trends of training compute and algorithmic efficiency" font-family="sans-serif" font-size="11" ` +
    `fill="currentColor">${panels.join('')}</svg>\n`
  );
}

function panel(trend: Trend, left: number, top: number): string {
  const axes = axesOf(trend);
  const plotWidth = WIDTH - MARGIN.left - MARGIN.right;
  const plotHeight = HEIGHT - MARGIN.top - MARGIN.bottom;
  const x = (month: number) => MARGIN.left + ((month - axes.left) / (axes.right - axes.left)) * plotWidth;
  const y = (log: number) => MARGIN.top + ((axes.top - log) / (axes.top - axes.bottom)) * plotHeight;
  const at = (month: number, log: number) => `${x(month).toFixed(1)},${y(log).toFixed(1)}`;
  const { from, to } = trend.endpoints;
  const start = monthsOf(from.date);
  const end = monthsOf(to.date);

  const grid = axes.powers.map(
    (power) =>
      `<path d="M${MARGIN.left} ${y(power).toFixed(1)}h${plotWidth}" stroke="currentColor" stroke-opacity=".15"/>` +
      `<text x="${MARGIN.left - 6}" y="${(y(power) + 4).toFixed(1)}" text-anchor="end">1e${power}</text>`,
  );
  const years = axes.years.map((year) => {
    const month = monthsOf(`${year}-01-01`);
    return `<text x="${x(month).toFixed(1)}" y="${HEIGHT - 10}" text-anchor="middle">${year}</text>`;
  });
  const runs = trend.points.map(({ model, date, flop }) => {
    const [cx, cy] = at(monthsOf(date), heightOf(trend, flop)).split(',');
    const title = escapeText(`${model}, ${date}, ${flop.toPrecision(3)} FLOP`);
    return `<circle cx="${cx}" cy="${cy}" r="3" fill="#4c78a8" fill-opacity=".7"><title>${title}</title></circle>`;
  });
  const endpoints = `${at(start, heightOf(trend, from.flop))} ${at(end, heightOf(trend, to.flop))}`;
  const regression = `${at(start, lineAt(trend, start))} ${at(end, lineAt(trend, end))}`;
  const { regression: line, endpoints: ends } = trend;
  const figures = `doubles in ${line.doublingMonths.toFixed(1)} months (regression), ${ends.doublingMonths.toFixed(1)} (endpoints)`;
  return (
    `<g transform="translate(${left} ${top})">` +
    `<text x="8" y="16" font-weight="bold">${escapeText(trend.title)}</text>` +
    `<text x="8" y="32">${escapeText(`${from.date.slice(0, 4)} to ${to.date.slice(0, 4)}: ${figures}`)}</text>` +
    grid.join('') +
    years.join('') +
    `<polyline points="${endpoints}" fill="none" stroke="#e45756" stroke-dasharray="4 3"/>` +
    `<polyline points="${regression}" fill="none" stroke="#f58518" stroke-width="2"/>` +
    `${runs.join('')}</g>`
  );
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
