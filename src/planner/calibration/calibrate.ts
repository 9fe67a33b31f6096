import { UsageError } from '../../base/errors.js';
import { isJsonObject, type JsonValue } from '../../base/json.js';
import { type Constants, shippedConstants } from './constants.js';
import { type Cells, readCsv } from './csv.js';
import { errorAt, fitEfficiency, type Sample, samplesOf, signedRatio } from './fit.js';
import { type ErrorPoint, featuresOf, pointsJson, readPoints } from './interval.js';
import { checkColumns } from './validate.js';

/**
 * What a user's own measurements say of their stack.
 *
 * @category Planning a machine
 */
export interface Calibration {
  /** Share of the roofline reached by framework and accelerator, `NAME @ ACCELERATOR`. */
  readonly efficiency: Readonly<Record<string, number>>;
  /** Measured over predicted speed of each row, with the efficiency fitted to the other rows. */
  readonly points: readonly ErrorPoint[];
}

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

/** A file's mark: what it is and which form it has. */
const FORMAT = 'meanfield-calibration-1';

/** A laptop's kernels reach less of its datasheet than a data centre's, and a stack may reach next to nothing. */
const RANGE = [0.01, 2] as const;

/** From so many rows on their own errors say more of a stack than those of others do. */
export const OWN_INTERVAL = 5;

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
    efficiency[pair] = Number(fitEfficiency(own, constants, RANGE).toPrecision(4));
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
    RANGE,
  );
  const { workload, cluster, arrangement, pair } = sample.run;
  return {
    source: pair,
    ratio: signedRatio(sample, efficiency, constants),
    ...featuresOf(workload, cluster.accelerator, arrangement),
  };
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Constants with a user's efficiencies in the place of those that were shipped. */
export function calibrated(calibration: Calibration | undefined, constants: Constants = shippedConstants): Constants {
  if (calibration === undefined) return constants;
  const { fitted, ...others } = constants.efficiency;
  return { ...constants, efficiency: { ...others, fitted: { ...fitted, ...calibration.efficiency } } };
}

/** A calibration as its file holds it. */
export function calibrationJson({ efficiency, points }: Calibration): JsonValue {
  return { format: FORMAT, efficiency: { ...efficiency }, points: { ...pointsJson(points) } };
}

/** @throws UsageError when a file is no calibration, or a figure in it cannot be */
export function readCalibration(json: JsonValue, name: string): Calibration {
  const wrong = (what: string): UsageError =>
    new UsageError(`${name}: expected ${what}. \`meanfield plan calibrate ROWS.csv --to FILE\` writes such a file.`);
  if (!isJsonObject(json) || json.format !== FORMAT) throw wrong(`a calibration with "format": "${FORMAT}"`);
  const { efficiency, points } = json;
  if (efficiency === undefined || !isJsonObject(efficiency)) throw wrong('"efficiency" to be an object');
  for (const [pair, value] of Object.entries(efficiency)) {
    if (typeof value !== 'number' || !(value >= RANGE[0] && value <= RANGE[1])) {
      throw wrong(`the efficiency of ${JSON.stringify(pair.slice(0, 64))} to be a number from ${RANGE.join(' to ')}`);
    }
  }
  const read = readPoints(points);
  if (read === undefined) throw wrong('"points" to have "sources" and "rows" of six numbers');
  return { efficiency: efficiency as Record<string, number>, points: read };
}
