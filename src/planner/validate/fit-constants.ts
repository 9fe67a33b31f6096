import type { FittedTime } from '../catalogue/constant-types.js';
import type { Constants } from '../catalogue/constants.js';
import type { Cells } from '../catalogue/csv.js';
import { errorOf, fitEfficiencies, type Sample, samplesOf } from './fit.js';

/**
 * What the time model's constants may be: the shares of bandwidths and rates that micro-benchmarks of others report,
 * and around them where nothing is known.
 */
export const ranges: Readonly<Record<keyof FittedTime, readonly [low: number, high: number]>> = {
  memoryEfficiency: [0.7, 0.92],
  waveElements: [1e5, 3e6],
  misalignment: [2, 16],
  hostPass: [5e-4, 1.8e-3],
  linkEfficiency: [0.55, 0.92],
  congestion: [0, 0.1],
  parameterGather: [0.1, 0.5],
  overlap: [0.4, 0.95],
  stepOverhead: [0, 0.05],
  fourBitShare: [0.5, 1],
};

/** Steps that a constant is tried with, largest first. */
const FACTORS = [1.15, 1 / 1.15, 1.05, 1 / 1.05];

/**
 * Fits the constants that all machines and frameworks share, by descent along one at a time; with each trial every
 * pair's efficiency is fitted anew. What counts is the mean error of the judged rows as fitted, and the mean over the
 * sources with one efficiency for all: the second says how far the model alone tells apart what the first is free to
 * put into efficiencies.
 *
 * @param sweeps times that all constants are gone through
 */
export function fitConstants(rows: readonly Cells[], start: Constants, sweeps: number): Constants {
  const samples = samplesOf(rows, start);
  const judge = (constants: Constants): number => errorOf(samples, constants) + unfittedError(samples, constants);
  let best = fitEfficiencies(rows, start);
  let least = judge(best);
  for (let sweep = 0; sweep < sweeps; sweep++) {
    for (const [name, [low, high]] of Object.entries(ranges) as [keyof FittedTime, readonly [number, number]][]) {
      for (const factor of FACTORS) {
        const value = Number(Math.min(high, Math.max(low, best.time[name] * factor)).toPrecision(3));
        if (value === best.time[name]) continue;
        const tried = fitEfficiencies(rows, { ...best, time: { ...best.time, [name]: value } });
        const error = judge(tried);
        if (error >= least - 1e-3) continue;
        [best, least] = [tried, error];
        break;
      }
    }
  }
  return best;
}

/** Mean over the sources of their rows' mean error, each at the default efficiency. */
export function unfittedError(samples: readonly Sample[], constants: Constants): number {
  const unfitted = { ...constants, efficiency: { fitted: {}, default: constants.efficiency.default } };
  const bySource = new Map<string, Sample[]>();
  for (const sample of samples) {
    const source = sample.cells.get('source') ?? '';
    bySource.set(source, [...(bySource.get(source) ?? []), sample]);
  }
  const errors = [...bySource.values()].map((own) => errorOf(own, unfitted));
  return errors.reduce((sum, error) => sum + error, 0) / Math.max(1, errors.length);
}
