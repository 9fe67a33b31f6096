import { table } from '../../base/text-table.js';
import { thousands } from '../../base/thousands.js';
import type { ExchangeReport } from '../simulate/exchange/exchange.js';
import { time } from './units.js';

/** The figures of a summary, indented by their depth; lists have tables of their own. */
export function summaryText(summary: object): string {
  const rows: string[][] = [];
  const visit = (value: object, depth: number) => {
    for (const [key, inner] of Object.entries(value)) {
      const name = `${'  '.repeat(depth)}${key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)}`;
      if (typeof inner === 'number') rows.push([name, figure(key, inner)]);
      else if (typeof inner === 'string') rows.push([name, inner]);
      else if (inner === null) rows.push([name, 'does not apply']);
      else if (typeof inner === 'object' && !Array.isArray(inner)) {
        rows.push([name]);
        visit(inner, depth + 1);
      }
    }
  };
  visit(summary, 0);
  return table(rows, [1]);
}

/** What the end of an exchange waited for, link by link. */
export function criticalPathText(links: ExchangeReport['criticalPath']): string {
  const rows = links.map(({ what, from, to, start, end, limit }) => {
    const where = from === to ? from : `${from} to ${to}`;
    return [what, where, time(start), time(end - start), limit];
  });
  return `\nCritical path:\n${table([['', 'where', 'starts at', 'takes', 'bound by'], ...rows], [2, 3])}`;
}

/** Keys of summaries whose figures are seconds. */
const SECONDS = new Set([
  ...['seconds', 'predicted', 'closedForm', 'exposed', 'compute', 'communication', 'ready', 'reduced', 'summed'],
  ...['gathered', 'first', 'median', 'last', 'train', 'upload', 'download', 'wait', 'away'],
]);

function figure(key: string, value: number): string {
  if (SECONDS.has(key)) return time(value);
  const exact = Number.isInteger(value) || Math.abs(value) >= 10_000;
  return exact ? thousands(Math.round(value)) : String(Number(value.toPrecision(4)));
}
