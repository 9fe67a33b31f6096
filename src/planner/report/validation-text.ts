import { table } from '../../base/text-table.js';
import { thousands } from '../../base/thousands.js';
import type { ComparedRow, RowResult, Validation } from '../validate/index.js';

/** Each row, then the means by source, memory, and what was skipped. */
export function validationText({ rows, result }: Validation): string {
  const lines = rows.filter(({ skipped }) => skipped === undefined).map(rowCells);
  const skipped = rows.flatMap(({ id, skipped }) => (skipped === undefined ? [] : [[id, skipped]]));
  const { memory, grade_b: b, grade_c: c } = result;
  const sources = (by: Readonly<Record<string, { readonly rows: number; readonly mean_abs_error: number }>>) =>
    Object.entries(by).map(([source, own]) => [source, String(own.rows), error(own.mean_abs_error)]);
  const parts = [
    table([['row', 'grade', 'unit', 'printed', 'predicted', 'error', 'memory', ''], ...lines], [3, 4, 5, 6]),
    table([['source (grades A and A-)', 'rows', 'mean error'], ...sources(result.by_source)], [1, 2]),
    table(
      [
        ['', 'rows', 'mean error'],
        ['throughput, A and A-', String(result.rows), error(result.mean_abs_error)],
        ['memory, A and A-', String(memory.rows), error(memory.mean_abs_error)],
        ['throughput, B', String(b.rows), error(b.mean_abs_error)],
        ['throughput, C', String(c.rows), error(c.mean_abs_error)],
      ],
      [1, 2],
    ),
    `Out of memory: ${memory.out_of_memory_predicted} of ${memory.out_of_memory} runs predicted, within one micro-batch step.\n`,
  ];
  if (skipped.length > 0) parts.push(`Skipped, ${skipped.length} rows:\n${table(skipped)}`);
  return `\n${parts.join('\n')}`;
}

function rowCells({ id, grade, speed, memory, outOfMemory, unit, assumptions }: RowResult): string[] {
  const peak = memory === undefined ? (outOfMemory ?? '') : `${short(memory)} GB ${error(memory.error)}`;
  return [
    id,
    grade,
    speed === undefined ? '' : (unit ?? ''),
    speed === undefined ? '' : figure(speed.printed),
    speed === undefined ? '' : figure(speed.predicted),
    speed === undefined ? '' : error(speed.error),
    peak,
    assumptions.length === 0 ? '' : `assumed: ${assumptions.join('; ')}`,
  ];
}

function short({ printed, predicted }: ComparedRow): string {
  return `${figure(predicted)}/${figure(printed)}`;
}

function figure(value: number): string {
  return value >= 1000 ? thousands(Math.round(value)) : String(Number(value.toPrecision(4)));
}

function error(percent: number | null): string {
  return percent === null ? '-' : `${percent.toFixed(1)} %`;
}
