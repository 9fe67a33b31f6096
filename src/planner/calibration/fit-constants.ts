import type { TimeConstants } from '../time/types.js';
import type { Constants } from './constants.js';
import type { Cells } from './csv.js';
import { errorOf, fitEfficiencies, samplesOf } from './fit.js';

type Path = readonly [keyof TimeConstants, index?: number];

/**
 * What the time model's constants may be: the shares of bandwidths and rates that micro-benchmarks of others report,
 * and around them where nothing is known. What no row depends on is not fitted.
 */
const ranges: readonly (readonly [Path, low: number, high: number])[] = [
  [['memoryEfficiency'], 0.7, 0.92],
  [['matrixTraffic'], 0.5, 2],
  [['waveElements'], 1e5, 3e6],
  [['misalignment'], 2, 16],
  [['backwardProducts'], 1, 1.2],
  [['launch'], 2e-6, 1e-5],
  [['hostPass'], 5e-4, 1.8e-3],
  [['attentionForward', 0], 0.4, 0.8],
  [['attentionBackward', 0], 0.25, 0.6],
  [['attentionForward', 2], 0.5, 0.8],
  [['attentionBackward', 2], 0.35, 0.7],
  [['oldAttentionKernel'], 0.4, 1],
  [['fourBitShare'], 0.5, 1],
  [['intraEfficiency'], 0.55, 0.9],
  [['interEfficiency'], 0.4, 0.9],
  [['congestion'], 0, 0.1],
  [['handOverEfficiency'], 0.4, 0.9],
  [['overlap'], 0.4, 0.95],
  [['stepOverhead'], 0, 0.05],
];

/** Steps that a constant is tried with, largest first. */
const FACTORS = [1.15, 1 / 1.15, 1.05, 1 / 1.05];

/**
 * Fits the constants that all machines and frameworks share, by descent along one at a time; with each trial every
 * pair's efficiency is fitted anew. The least mean error of the judged rows wins.
 *
 * @param sweeps times that all constants are gone through
 */
export function fitConstants(rows: readonly Cells[], start: Constants, sweeps: number): Constants {
  const samples = samplesOf(rows, start);
  let best = fitEfficiencies(rows, start);
  let least = errorOf(samples, best);
  for (let sweep = 0; sweep < sweeps; sweep++) {
    for (const [path, low, high] of ranges) {
      for (const factor of FACTORS) {
        const value = Number(Math.min(high, Math.max(low, read(best.time, path) * factor)).toPrecision(3));
        if (value === read(best.time, path)) continue;
        const tried = fitEfficiencies(rows, { ...best, time: write(best.time, path, value) });
        const error = errorOf(samples, tried);
        if (error >= least - 1e-3) continue;
        [best, least] = [tried, error];
        break;
      }
    }
  }
  return best;
}

function read(time: TimeConstants, [key, index]: Path): number {
  const value = time[key];
  return typeof value === 'number' ? value : value[index!]!;
}

function write(time: TimeConstants, [key, index]: Path, value: number): TimeConstants {
  const old = time[key];
  return { ...time, [key]: typeof old === 'number' ? value : old.map((entry, i) => (i === index ? value : entry)) };
}
