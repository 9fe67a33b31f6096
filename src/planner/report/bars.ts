import { drawing, label, place } from './markup.js';

/** A bar with its figure. */
export interface Bar {
  readonly name: string;
  readonly value: number;
  /** The value as it is written beside the bar. */
  readonly text: string;
}

const WIDTH = 640;
const ROW = 26;
const LEFT = 190;
const RIGHT = 130;

/**
 * Horizontal bars, one below the other.
 *
 * @param limit a value that is marked by a line, with what it is called
 */
export function barChart(
  title: string,
  bars: readonly Bar[],
  limit?: { readonly value: number; readonly name: string },
): string {
  const most = Math.max(...bars.map(({ value }) => value), limit?.value ?? 0);
  const scale = (value: number) => (most > 0 ? ((WIDTH - LEFT - RIGHT) * value) / most : 0);
  const top = limit === undefined ? 6 : 24;
  const height = top + ROW * bars.length + 6;
  const rows = bars.map(({ name, value, text }, i) => {
    const y = top + ROW * i;
    const width = Math.max(scale(value), 1);
    const bar = `<rect class="bar" x="${LEFT}" y="${y + 4}" width="${place(width)}" height="${ROW - 8}" rx="2"/>`;
    return (
      label(LEFT - 10, y + 17, name, { where: 'end' }) + bar + label(LEFT + width + 6, y + 17, text, { kind: 'figure' })
    );
  });
  const line = limit === undefined ? '' : limitLine(LEFT + scale(limit.value), height, limit.name);
  return drawing(WIDTH, height, title, line + rows.join(''));
}

function limitLine(x: number, height: number, name: string): string {
  const line = `<line class="limit" x1="${place(x)}" x2="${place(x)}" y1="20" y2="${height - 4}"/>`;
  return line + label(x, 14, name, { where: 'middle', kind: 'tick' });
}
