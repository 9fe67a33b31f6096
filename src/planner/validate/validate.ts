import { UsageError } from '../../base/errors.js';
import { type Constants, shippedConstants } from '../catalogue/constants.js';
import { type Cells, readCsv } from '../catalogue/csv.js';
import { isJudged, predictRow, type RowResult } from './row.js';

/** Mean error in percent over rows. */
export interface ErrorSummary {
  readonly rows: number;
  readonly mean_abs_error: number;
}

/** What predictions of a file of measurements come to; errors in percent, `null` where nothing was compared. */
export interface ValidationResult {
  readonly type: 'result';
  /** Rows in `mean_abs_error`: throughput of grade A and A-. */
  readonly rows: number;
  /** Rows that nothing was compared of. */
  readonly skipped: number;
  readonly mean_abs_error: number | null;
  readonly by_source: Readonly<Record<string, ErrorSummary & { readonly worst: number }>>;
  /** Measured peaks of judged rows, and runs of theirs that did not fit. */
  readonly memory: {
    readonly rows: number;
    readonly mean_abs_error: number | null;
    readonly out_of_memory: number;
    /** Predicted not to fit, as run or with a micro-batch of one step more. */
    readonly out_of_memory_predicted: number;
  };
  readonly grade_b: ErrorSummaries;
  readonly grade_c: ErrorSummaries;
}

interface ErrorSummaries {
  readonly rows: number;
  readonly mean_abs_error: number | null;
  readonly by_source: Readonly<Record<string, ErrorSummary>>;
  readonly memory_rows: number;
  readonly memory_mean_abs_error: number | null;
}

/** A file of measurements, row by row, and what it comes to. */
export interface Validation {
  readonly rows: readonly RowResult[];
  readonly result: ValidationResult;
}

/** Columns without which a row says nothing that could be predicted; a cell of theirs may be empty. */
const required = [
  'id',
  'source',
  'framework',
  'model',
  'params_B',
  'layers',
  'hidden',
  'seq',
  'accel',
  'n_accel',
  'tp',
  'pp',
  'micro_batch',
  'global_batch_seqs',
  'printed_unit',
  'grade',
] as const;

/**
 * Predicts every row of a table with the calibration set's columns from its description alone, and compares the
 * prediction with what the row prints, in its own unit. Fields that are missing get defaults, which the row's
 * `assumptions` name.
 *
 * @param text comma-separated values with a header
 * @throws UsageError when the table is no such table
 */
export function validateRows(text: string, constants: Constants = shippedConstants): Validation {
  const { columns, rows: cells } = readCsv(text);
  checkColumns(columns);
  return summarise(cells, constants);
}

/** @throws UsageError when a table lacks a column of the calibration set that rows cannot do without */
export function checkColumns(columns: readonly string[]): void {
  const missing = required.filter((name) => !columns.includes(name));
  if (missing.length > 0) {
    throw new UsageError(
      `The table lacks the columns ${missing.join(', ')}; it has ${columns.slice(0, 12).join(', ').slice(0, 200)}. ` +
        'Expected the columns of the calibration set; a column may be empty.',
    );
  }
}

/** Predicts rows that are already read. */
export function summarise(cells: readonly Cells[], constants: Constants): Validation {
  const rows = cells.map((row) => predictRow(row, constants));
  const judged = rows.filter((row) => isJudged(row.grade));
  const speeds = judged.filter((row) => row.speed);
  const overflows = judged.filter((row) => row.outOfMemory);
  return {
    rows,
    result: {
      type: 'result',
      rows: speeds.length,
      skipped: rows.filter((row) => row.skipped !== undefined).length,
      mean_abs_error: meanOf(speeds.map((row) => row.speed!.error)),
      by_source: bySource(speeds),
      memory: {
        ...memoryOf(judged),
        out_of_memory: overflows.length,
        out_of_memory_predicted: overflows.filter((row) => row.outOfMemory !== 'missed').length,
      },
      grade_b: gradeOf(rows, 'B'),
      grade_c: gradeOf(rows, 'C'),
    },
  };
}

function gradeOf(rows: readonly RowResult[], grade: string): ErrorSummaries {
  const own = rows.filter((row) => row.grade.startsWith(grade));
  const speeds = own.filter((row) => row.speed);
  const memory = memoryOf(own);
  return {
    rows: speeds.length,
    mean_abs_error: meanOf(speeds.map((row) => row.speed!.error)),
    by_source: bySource(speeds),
    memory_rows: memory.rows,
    memory_mean_abs_error: memory.mean_abs_error,
  };
}

function memoryOf(rows: readonly RowResult[]): { rows: number; mean_abs_error: number | null } {
  const errors = rows.flatMap((row) => (row.memory ? [row.memory.error] : []));
  return { rows: errors.length, mean_abs_error: meanOf(errors) };
}

function bySource(rows: readonly RowResult[]): Record<string, ErrorSummary & { worst: number }> {
  const errors = new Map<string, number[]>();
  for (const { source, speed } of rows) {
    const known = errors.get(source);
    if (known) known.push(speed!.error);
    else errors.set(source, [speed!.error]);
  }
  return Object.fromEntries(
    [...errors].map(([source, own]) => [
      source,
      { rows: own.length, mean_abs_error: meanOf(own)!, worst: rounded(own.reduce((a, b) => Math.max(a, b))) },
    ]),
  );
}

const rounded = (value: number): number => Number(value.toFixed(3));

function meanOf(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  return rounded(values.reduce((a, b) => a + b) / values.length);
}
