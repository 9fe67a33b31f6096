import { UsageError } from '../../base/errors.js';
import { type Constants, shippedConstants } from '../catalogue/constants.js';
import { type Cells, readCsv } from '../catalogue/csv.js';
import { type Calibration, EFFICIENCIES } from '../run/calibration.js';
import { type ErrorPoint, featuresOf } from '../run/interval.js';
import { errorAt, fitEfficiency, type Sample, samplesOf, signedRatio } from './fit.js';
import { checkColumns } from './validate.js';

/** What a pair of framework and accelerator was fitted from, and how well. Errors in percent. */
export interface PairFit {
  readonly pair: string;
  readonly rows: number;
  readonly efficiency: number;
  /** Each row predicted with the efficiency fitted to the pair's other rows; `null` with a single row. */
  readonly leaveOneOutError: number | null;
  /** With the shipped efficiency. */
  readonly shippedError: number;
}

export interface CalibrationResult {
  readonly calibration: Calibration;
  readonly pairs: readonly PairFit[];
  /** Rows of the table that could not be used. */
  readonly unused: number;
}

/**
 * Fits the efficiency of each pair of framework and accelerator to a user's own measurements, a table with the columns
 * of the calibration set. A row without a grade counts.
 *
 * @throws UsageError when the table is no such table, or no row of it can be used
 */
export function calibrate(text: string, constants: Constants = shippedConstants): CalibrationResult {
  const { columns, rows } = readCsv(text);
  checkColumns(columns);
  const samples = samplesOf(rows.map(asJudged), constants);
  if (samples.length === 0) {
    throw new UsageError(
      'No row of the table can be used: expected printed_unit to name a column with a number in it, and model, accelerator and arrangement beside it. `plan validate` says what is wrong with each row.',
    );
  }
  const byPair = new Map<string, Sample[]>();
  for (const sample of samples) byPair.set(sample.run.pair, [...(byPair.get(sample.run.pair) ?? []), sample]);
  const efficiency: Record<string, number> = {};
  const pairs: PairFit[] = [];
  const points: ErrorPoint[] = [];
  for (const [pair, own] of [...byPair].sort(([a], [b]) => (a < b ? -1 : 1))) {
    efficiency[pair] = Number(fitEfficiency(own, constants, EFFICIENCIES).toPrecision(4));
    const leftOut = own.length === 1 ? [] : own.map((sample) => withoutIt(sample, own, constants));
    points.push(...leftOut);
    pairs.push({
      pair,
      rows: own.length,
      efficiency: efficiency[pair]!,
      leaveOneOutError: leftOut.length === 0 ? null : mean(leftOut.map(({ ratio }) => 100 * Math.abs(1 / ratio - 1))),
      shippedError: errorAt(own, own[0]!.run.framework.efficiency, constants),
    });
  }
  return { calibration: { efficiency, points }, pairs, unused: rows.length - samples.length };
}

/** A row as one of grade A where it says none: users do not grade their own. */
function asJudged(row: Cells): Cells {
  return (row.get('grade') ?? '') === '' ? new Map([...row, ['grade', 'A']]) : row;
}

function withoutIt(sample: Sample, own: readonly Sample[], constants: Constants): ErrorPoint {
  const efficiency = fitEfficiency(
    own.filter((other) => other !== sample),
    constants,
    EFFICIENCIES,
  );
  const { workload, cluster, arrangement, pair } = sample.run;
  return {
    source: pair,
    ratio: signedRatio(sample, efficiency, constants),
    ...featuresOf(workload, cluster.accelerator, arrangement),
  };
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
