import { isJsonObject, type JsonValue } from '../../base/json.js';
import type { Accelerator, Arrangement, Workload } from '../types.js';
import table from './errors.json' with { type: 'json' };

/** What of a run tells how near another is to it. */
export interface RunFeatures {
  /** Year of the accelerator: its generation. */
  readonly year: number;
  readonly devices: number;
  readonly parameters: number;
  /** 8 or 4 bits in products. */
  readonly narrow: boolean;
  readonly pipeline: boolean;
  readonly tensor: boolean;
  /** Parameters split over the data-parallel ranks. */
  readonly sharded: boolean;
}

/**
 * A measured run: its speed over the one predicted with its source, framework and accelerator left out.
 *
 * @category Planning a machine
 */
export interface ErrorPoint extends RunFeatures {
  readonly source: string;
  readonly ratio: number;
}

/** Between which factors of a predicted speed the measured one lies, and how often. */
export interface SpeedInterval {
  readonly share: number;
  readonly low: number;
  readonly high: number;
}

/** How often a measurement shall lie inside. */
const SHARE = 0.8;

/** Distance at which a measured run counts e^(−1/2) of one that is alike. */
const REACH = 1;

export function featuresOf(workload: Workload, accelerator: Accelerator, arrangement: Arrangement): RunFeatures {
  const { data, tensor, context, pipeline, precision, zero } = arrangement;
  return {
    year: accelerator.year,
    devices: data * tensor * context * pipeline,
    parameters: workload.parameters,
    narrow: precision === 'fp8' || precision === 'mxfp8' || precision === 'nvfp4',
    pipeline: pipeline > 1,
    tensor: tensor > 1,
    sharded: zero === 3,
  };
}

/** Square of how far two runs are apart: three years, ten times the devices or the model, count like a format. */
function distance(a: RunFeatures, b: RunFeatures): number {
  return (
    ((a.year - b.year) / 3) ** 2 +
    Math.log10(a.devices / b.devices) ** 2 / 2 +
    Math.log10(a.parameters / b.parameters) ** 2 / 2 +
    Number(a.narrow !== b.narrow) +
    (Number(a.pipeline !== b.pipeline) + Number(a.tensor !== b.tensor) + Number(a.sharded !== b.sharded)) / 2
  );
}

const fromRow =
  (sources: readonly string[]) =>
  ([source, ratio, year, devices, parameters, flags]: readonly number[]): ErrorPoint => ({
    source: sources[source as number]!,
    ratio: ratio as number,
    year: year as number,
    devices: devices as number,
    parameters: parameters as number,
    narrow: ((flags as number) & 1) > 0,
    pipeline: ((flags as number) & 2) > 0,
    tensor: ((flags as number) & 4) > 0,
    sharded: ((flags as number) & 8) > 0,
  });

/** The shipped points, as the bench wrote them. */
export const shippedPoints: readonly ErrorPoint[] = table.rows.map(fromRow(table.sources));

/** Points of a file that {@link pointsJson} wrote; undefined where it did not. */
export function readPoints(json: JsonValue | undefined): readonly ErrorPoint[] | undefined {
  if (!isJsonObject(json) || !Array.isArray(json.sources) || !Array.isArray(json.rows)) return undefined;
  const sources = json.sources.map(String);
  const isRow = (row: JsonValue): row is number[] =>
    Array.isArray(row) &&
    row.length === 6 &&
    row.every((value) => typeof value === 'number' && Number.isFinite(value) && value >= 0) &&
    sources[row[0] as number] !== undefined &&
    row.slice(1, 5).every((value) => (value as number) > 0);
  return json.rows.every(isRow) ? (json.rows as number[][]).map(fromRow(sources)) : undefined;
}

/** Points as {@link shippedPoints} reads them. */
export function pointsJson(points: readonly ErrorPoint[]): { sources: string[]; rows: number[][] } {
  const sources = [...new Set(points.map(({ source }) => source))];
  const rows = points.map((p) => [
    sources.indexOf(p.source),
    Number(p.ratio.toFixed(3)),
    p.year,
    p.devices,
    Number(p.parameters.toPrecision(3)),
    (p.narrow ? 1 : 0) + (p.pipeline ? 2 : 0) + (p.tensor ? 4 : 0) + (p.sharded ? 8 : 0),
  ]);
  return { sources, rows };
}

interface Sorted {
  readonly point: ErrorPoint;
  readonly share: number;
}

/** Points by ratio with what their source leaves each: found once, since a plan asks for some tens of intervals. */
function byRatio(points: readonly ErrorPoint[]): readonly Sorted[] {
  const known = sorted.get(points);
  if (known !== undefined) return known;
  const rowsOf = new Map<string, number>();
  for (const { source } of points) rowsOf.set(source, (rowsOf.get(source) ?? 0) + 1);
  const found = points
    .map((point) => ({ point, share: 1 / Math.sqrt(rowsOf.get(point.source)!) }))
    .sort((a, b) => a.point.ratio - b.point.ratio);
  sorted.set(points, found);
  return found;
}

const sorted = new WeakMap<readonly ErrorPoint[], readonly Sorted[]>();

/**
 * The interval in which a measured speed lies, as a factor of the predicted one: the weighted tenth and ninetieth
 * hundredths of what runs like it came to when their source was left out. A source counts by the root of its rows, for
 * the rows of one err together.
 */
export function speedInterval(run: RunFeatures, points: readonly ErrorPoint[] = shippedPoints): SpeedInterval {
  if (points.length === 0) throw new Error('no measured run to take an interval from');
  const ascending = byRatio(points);
  const weights = new Float64Array(ascending.length);
  let total = 0;
  for (const [i, { point, share }] of ascending.entries()) {
    weights[i] = Math.exp(-distance(run, point) / (2 * REACH * REACH)) * share;
    total += weights[i]!;
  }
  const [least, most] = [ascending[0]!.point.ratio, ascending.at(-1)!.point.ratio];
  const quantile = (share: number): number => {
    let sum = 0;
    for (let i = 0; i < weights.length; i++) {
      sum += weights[i]!;
      if (sum >= share * total) return ascending[i]!.point.ratio;
    }
    return most;
  };
  // Beyond all that was measured no weight is left: every point counts the same then.
  if (!(total > 0)) return { share: SHARE, low: least, high: most };
  return { share: SHARE, low: quantile((1 - SHARE) / 2), high: quantile((1 + SHARE) / 2) };
}

/**
 * Factors of a predicted time (or cost) between which the measured one lies, and how often.
 *
 * @category Planning a machine
 */
export interface TimeInterval {
  readonly share: number;
  readonly low: number;
  readonly high: number;
}

/** The same interval for times: what is slower takes longer. */
export function timeInterval(
  workload: Workload,
  accelerator: Accelerator,
  arrangement: Arrangement,
  points: readonly ErrorPoint[] = shippedPoints,
): TimeInterval {
  const { share, low, high } = speedInterval(featuresOf(workload, accelerator, arrangement), points);
  return { share, low: 1 / high, high: 1 / low };
}

/** Share of points that lie inside the interval of the points of other sources. */
export function coverage(points: readonly ErrorPoint[]): number {
  const inside = points.filter((point) => {
    const { low, high } = speedInterval(
      point,
      points.filter(({ source }) => source !== point.source),
    );
    return point.ratio >= low && point.ratio <= high;
  });
  return inside.length / Math.max(1, points.length);
}
