import type { Constants } from '../catalogue/constants.js';
import type { Cells } from '../catalogue/csv.js';
import { kindOf } from '../catalogue/frameworks.js';
import { type DescribedRun, describeRun, predictRun } from './describe.js';
import { Fields } from './fields.js';
import { inPrintedUnit, isSlowness, type PrintedUnit, printedUnits } from './measure.js';
import { isJudged, predictRow } from './row.js';

/** A judged row, ready to be predicted with any constants. */
export interface Sample {
  readonly cells: Cells;
  readonly run: DescribedRun;
  readonly unit: PrintedUnit;
  readonly printed: number;
}

/** Below and above this no software is: the search's ends. */
const LEAST = 0.3;
const MOST = 1.3;

/**
 * Fits the one constant that each pair of framework and accelerator has, the share of the roofline reached, to the
 * least mean error over the pair's judged rows; the default becomes the median over the pairs.
 */
export function fitEfficiencies(rows: readonly Cells[], constants: Constants): Constants {
  const pairs = new Map<string, Sample[]>();
  for (const sample of samplesOf(rows, constants)) {
    const known = pairs.get(sample.run.pair);
    if (known) known.push(sample);
    else pairs.set(sample.run.pair, [sample]);
  }
  const fitted: Record<string, number> = {};
  for (const [pair, samples] of [...pairs].sort(([a], [b]) => (a < b ? -1 : 1))) {
    fitted[pair] = Number(fitEfficiency(samples, constants).toFixed(3));
  }
  return withDefaults(fitted, constants);
}

/** Pairs from which on the median of a kind is believed. */
const OF_A_KIND = 2;

/**
 * Constants with these efficiencies and what follows for pairs without one: the median over the pairs of a kind, where
 * there are enough, and over all.
 */
export function withDefaults(fitted: Readonly<Record<string, number>>, constants: Constants): Constants {
  const byKind = new Map<string, number[]>();
  for (const [pair, efficiency] of Object.entries(fitted)) {
    const kind = kindOf(pair.split(' @ ')[0]!);
    if (kind !== undefined) byKind.set(kind, [...(byKind.get(kind) ?? []), efficiency]);
  }
  // Our own engine's was measured by `bench --calibrate`: no published table has it.
  const { meanfield } = constants.efficiency.kinds ?? {};
  const kinds: Record<string, number> = meanfield === undefined ? {} : { meanfield };
  for (const [kind, values] of [...byKind].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (values.length >= OF_A_KIND) kinds[kind] = median(values, constants.efficiency.default);
  }
  return {
    ...constants,
    efficiency: { fitted, kinds, default: median(Object.values(fitted), constants.efficiency.default) },
  };
}

/** The judged rows of a table that print a throughput. */
export function samplesOf(rows: readonly Cells[], constants: Constants): Sample[] {
  return rows.flatMap((cells) => sampleOf(cells, constants) ?? []);
}

/** Mean error over samples in percent, each with its pair's efficiency. */
export function errorOf(samples: readonly Sample[], constants: Constants): number {
  const { fitted, default: usual } = constants.efficiency;
  const errors = samples.map((sample) => errorAt([sample], fitted[sample.run.pair] ?? usual, constants));
  return errors.reduce((a, b) => a + b, 0) / Math.max(1, errors.length);
}

function sampleOf(cells: Cells, constants: Constants): Sample | undefined {
  const fields = new Fields(cells);
  const unit = printedUnits.find((known) => known === fields.text('printed_unit'));
  const printed = unit && fields.number(unit);
  if (!unit || printed === undefined || !isJudged(fields.text('grade'))) return undefined;
  const result = predictRow(cells, constants);
  const run = result.speed && describeRun(cells, constants);
  return !run || typeof run === 'string' ? undefined : { cells, run, unit, printed };
}

/** Mean error of a pair's rows at one efficiency, in percent. */
export function errorAt(samples: readonly Sample[], efficiency: number, constants: Constants): number {
  let sum = 0;
  for (const sample of samples) {
    sum += 100 * Math.abs(predictAt(sample, efficiency, constants) / sample.printed - 1);
  }
  return sum / samples.length;
}

/** A row's measured speed over the one predicted at an efficiency. */
export function signedRatio(sample: Sample, efficiency: number, constants: Constants): number {
  const ratio = predictAt(sample, efficiency, constants) / sample.printed;
  return isSlowness(sample.unit) ? ratio : 1 / ratio;
}

/** The prediction of a row in its unit, at an efficiency. */
function predictAt({ cells, run, unit }: Sample, efficiency: number, constants: Constants): number {
  const tried = { ...run, framework: { ...run.framework, efficiency } };
  const { step, arrangement } = predictRun(tried, constants);
  return inPrintedUnit(unit, cells, { ...tried, arrangement }, step);
}

/**
 * The efficiency of least mean error over a pair's rows, in percent. The error has kinks, not steps: a grid finds its
 * valley, three finer ones its floor.
 */
export function fitEfficiency(
  samples: readonly Sample[],
  constants: Constants,
  [least, most]: readonly [number, number] = [LEAST, MOST],
): number {
  const cells = 14;
  let [low, high] = [least, most];
  let best = 1;
  for (let pass = 0; pass < 4; pass++) {
    const stride = (high - low) / cells;
    let error = Number.POSITIVE_INFINITY;
    for (let i = 0; i <= cells; i++) {
      const tried = errorAt(samples, low + i * stride, constants);
      if (tried < error) [error, best] = [tried, low + i * stride];
    }
    [low, high] = [Math.max(least, best - stride), Math.min(most, best + stride)];
  }
  return best;
}

/** The middle of values, to three digits. */
export function median(values: readonly number[], otherwise: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  if (sorted.length === 0) return otherwise;
  const middle = sorted.length >> 1;
  return Number((sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2).toFixed(3));
}
