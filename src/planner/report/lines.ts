import type { Axis } from './axis.js';
import { drawing, escapeMarkup, label, place } from './markup.js';

/** Edges of the plotted area; axes are made for them. */
export const PLOT = { left: 70, right: 620, top: 16, bottom: 280 } as const;

const WIDTH = 640;
const LEGEND_ROW = 20;

/** A line of a chart. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Whether each point is marked, with a word of its own. */
  readonly marks?: readonly string[];
}

/** What is drawn beside the lines. */
export interface Chart {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly xName: string;
  readonly yName: string;
  readonly xText: (value: number) => string;
  readonly yText: (value: number) => string;
  readonly series: readonly Series[];
  /** A value of x that is marked, and its name. */
  readonly here?: { readonly x: number; readonly name: string } | undefined;
  /** A range of x that is shaded. */
  readonly shade?: { readonly from: number; readonly to: number } | undefined;
}

/** Lines over two axes, with a legend below where there are several. */
export function lineChart(chart: Chart): string {
  const { x, y, series } = chart;
  const legend = series.length > 1 ? series.length * LEGEND_ROW + 8 : 0;
  const parts = [shade(chart), grid(chart)];
  for (const [i, { points, marks }] of series.entries()) {
    const path = points.map(([a, b]) => `${place(x.at(a))},${place(y.at(b))}`).join(' ');
    parts.push(`<polyline class="line s${i}" points="${path}"/>`);
    for (const [j, mark] of (marks ?? []).entries())
      parts.push(markOf(x.at(points[j]![0]), y.at(points[j]![1]), mark, i));
  }
  parts.push(here(chart));
  if (legend > 0) parts.push(...series.map(({ name }, i) => legendRow(name, i)));
  return drawing(WIDTH, PLOT.bottom + 50 + legend, chart.title, parts.join(''));
}

function grid({ x, y, xName, yName, xText, yText }: Chart): string {
  const columns = x.ticks.map((tick) => {
    const at = place(x.at(tick));
    const line = `<line class="grid" x1="${at}" x2="${at}" y1="${PLOT.top}" y2="${PLOT.bottom}"/>`;
    // The last word ends where the drawing does.
    const where = x.at(tick) > PLOT.right - 10 ? 'end' : 'middle';
    return (
      line + label(x.at(tick) + (where === 'end' ? 14 : 0), PLOT.bottom + 18, xText(tick), { where, kind: 'tick' })
    );
  });
  const rows = y.ticks.map((tick) => {
    const at = place(y.at(tick));
    const line = `<line class="grid" x1="${PLOT.left}" x2="${PLOT.right}" y1="${at}" y2="${at}"/>`;
    return line + label(PLOT.left - 8, y.at(tick) + 4, yText(tick), { where: 'end', kind: 'tick' });
  });
  const names =
    label(PLOT.right, PLOT.bottom + 38, xName, { where: 'end', kind: 'axis' }) +
    label(PLOT.left, PLOT.top - 5, yName, { kind: 'axis' });
  return columns.join('') + rows.join('') + names;
}

function markOf(x: number, y: number, text: string, series: number): string {
  // Right of the point, or left of it where the edge is near.
  const near = x > PLOT.right - 80;
  const word = label(near ? x - 8 : x + 8, y - 6, text, { where: near ? 'end' : 'start', kind: 'figure' });
  return `<circle class="mark s${series}" cx="${place(x)}" cy="${place(y)}" r="4"><title>${escapeMarkup(text)}</title></circle>${word}`;
}

function here({ here: mark, x }: Chart): string {
  if (mark === undefined) return '';
  const at = Math.min(Math.max(x.at(mark.x), PLOT.left), PLOT.right);
  const line = `<line class="limit" x1="${place(at)}" x2="${place(at)}" y1="${PLOT.top}" y2="${PLOT.bottom}"/>`;
  const left = at > PLOT.right - 120;
  return (
    line + label(left ? at - 6 : at + 6, PLOT.top + 12, mark.name, { where: left ? 'end' : 'start', kind: 'tick' })
  );
}

function shade({ shade: range, x }: Chart): string {
  if (range === undefined) return '';
  const inside = (value: number, otherwise: number) =>
    value > 0 && Number.isFinite(value) ? Math.min(Math.max(x.at(value), PLOT.left), PLOT.right) : otherwise;
  const [from, to] = [inside(range.from, PLOT.left), inside(range.to, PLOT.right)];
  return `<rect class="shade" x="${place(from)}" y="${PLOT.top}" width="${place(Math.max(0, to - from))}" height="${PLOT.bottom - PLOT.top}"/>`;
}

function legendRow(name: string, i: number): string {
  const y = PLOT.bottom + 58 + i * LEGEND_ROW;
  const line = `<line class="line s${i}" x1="${PLOT.left}" x2="${PLOT.left + 28}" y1="${y - 4}" y2="${y - 4}"/>`;
  return line + label(PLOT.left + 38, y, name);
}
