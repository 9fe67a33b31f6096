import { UsageError } from '../../base/errors.js';
import { type Cells, readCsv } from '../catalogue/csv.js';
import { bootstrap, type Confidence } from './bootstrap.js';
import { fitLaw, HUBER_DELTA, type LawFit, withoutFewestTokens } from './fit.js';
import type { LossPoint } from './parametric.js';

/** Names of columns that are understood, in lower case with every run of other signs as one space. */
const COLUMNS = {
  parameters: ['parameters', 'params', 'n', 'model size', 'n params', 'num params'],
  tokens: ['tokens', 'd', 'training tokens', 'n tokens', 'num tokens'],
  flop: ['flop', 'flops', 'c', 'training flop', 'training flops', 'compute'],
  loss: ['loss', 'l', 'final loss', 'val loss', 'validation loss'],
} as const;

/** Share of the points that the replication (arXiv 2404.10102) leaves out: 5 of 245. */
const DROPPED_SHARE = 5 / 245;

/** More rows than any study has; the fit's time grows with them. */
const MOST_ROWS = 20_000;

/** No vocabulary is so large that guessing costs more nats a token than this: it is a perplexity, or bits. */
const MOST_NATS = 25;

export interface FitOptions {
  /** How many points with the fewest tokens per parameter to leave out; else 5 in 245, rounded. */
  readonly drop?: number;
  /** Huber's δ in nats of log loss; 1e-3. */
  readonly delta?: number;
  /** Tables drawn for the confidence intervals; 200. */
  readonly samples?: number;
  readonly seed?: number;
}

/** What a table of runs says: the fit without the points furthest from any optimum, and beside it that of all. */
export interface TableFit {
  readonly fit: LawFit;
  readonly confidence: Confidence;
  readonly all: LawFit;
  readonly dropped: readonly LossPoint[];
  readonly delta: number;
}

/**
 * Fits a scaling law to a CSV table of runs with columns `parameters`, `tokens` (or `flop`, from which tokens are
 * C/6N) and `loss` in nats a token; N, D, C, "Model Size" and "Training FLOP" are understood too.
 *
 * @throws UsageError naming the row or column that is wrong
 */
export function fitTable(csv: string, options: FitOptions = {}): TableFit {
  return fitPoints(readPoints(csv), options);
}

/** {@link fitTable} of points that are there already. */
export function fitPoints(points: readonly LossPoint[], options: FitOptions = {}): TableFit {
  const { drop = Math.round(points.length * DROPPED_SHARE), delta = HUBER_DELTA, samples = 200, seed = 1 } = options;
  if (!Number.isSafeInteger(drop) || drop < 0)
    throw new UsageError(`The number of points to leave out must be a whole number from 0; got ${drop}.`);
  if (!(delta > 0) || !Number.isFinite(delta))
    throw new UsageError(`Huber's delta must be a number above 0, in nats of log loss; got ${delta}. Usual: 0.001.`);
  const kept = withoutFewestTokens(points, drop);
  const fit = fitLaw(kept, delta);
  const out = new Set(kept);
  return {
    fit,
    confidence: bootstrap(kept, fit.law, { samples, seed, delta }),
    all: drop === 0 ? fit : fitLaw(points, delta),
    dropped: points.filter((point) => !out.has(point)),
    delta,
  };
}

/** The runs of a CSV table; see {@link fitTable}. */
export function readPoints(csv: string): LossPoint[] {
  const { columns, rows } = readCsv(csv);
  if (rows.length > MOST_ROWS)
    throw new UsageError(`The table has ${rows.length} rows; at most ${MOST_ROWS} can be fitted. Draw a sample.`);
  const parameters = columnOf(columns, 'parameters');
  const loss = columnOf(columns, 'loss');
  const tokens = columnOf(columns, 'tokens');
  const flop = tokens === undefined ? columnOf(columns, 'flop') : undefined;
  if (parameters === undefined || loss === undefined || (tokens === undefined && flop === undefined)) {
    const missing = [
      parameters === undefined ? 'parameters (N)' : [],
      tokens === undefined && flop === undefined ? 'tokens (D) or flop (C)' : [],
      loss === undefined ? 'loss' : [],
    ].flat();
    throw new UsageError(
      `The table has no column for ${missing.join(', nor for ')}; its columns are ${columns.slice(0, 20).join(', ')}. Expected parameters, tokens (or flop), loss.`,
    );
  }
  return rows.map((row, i) => {
    const n = positive(row, parameters, i);
    const nats = positive(row, loss, i);
    if (nats > MOST_NATS)
      throw new UsageError(
        `Row ${i + 1} of the table: a loss of ${nats}; expected nats a token, at most ${MOST_NATS}. Take the logarithm of a perplexity.`,
      );
    const d = tokens === undefined ? positive(row, flop!, i) / (6 * n) : positive(row, tokens, i);
    return { parameters: n, tokens: d, loss: nats };
  });
}

/** The column that holds what is meant; `undefined`: none does. */
function columnOf(columns: readonly string[], kind: keyof typeof COLUMNS): string | undefined {
  const names: readonly string[] = COLUMNS[kind];
  const found = columns.filter((column) => names.includes(plain(column)));
  if (found.length > 1)
    throw new UsageError(`The table has ${found.length} columns for ${kind}: ${found.join(', ')}. Leave one of them.`);
  return found[0];
}

function plain(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, ' ')
    .trim();
}

function positive(row: Cells, column: string, index: number): number {
  const cell = row.get(column)!;
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(cell) ? Number(cell) : Number.NaN;
  if (!(value > 0) || value === Number.POSITIVE_INFINITY)
    throw new UsageError(
      `Row ${index + 1} of the table, column ${column}: expected a number above 0; got '${cell.slice(0, 40)}'.`,
    );
  return value;
}
