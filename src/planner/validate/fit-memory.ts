import type { MemoryConstants } from '../catalogue/constant-types.js';
import type { Constants } from '../catalogue/constants.js';
import type { Cells } from '../catalogue/csv.js';
import { isJudged } from './row.js';
import { summarise } from './validate.js';

/** Values tried: what contexts of CUDA and NCCL take, and what allocators hold beyond what is asked for. */
const CONTEXTS = [1e9, 1.5e9, 2e9, 2.5e9, 3e9, 4e9, 5e9];
const FRAGMENTATIONS = [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3];

/** The memory model's two constants by the least mean error of the judged rows with a measured peak. */
export function fitMemory(rows: readonly Cells[], constants: Constants): MemoryConstants {
  const measured = withPeak(rows);
  let best = constants.memory;
  let least = Number.POSITIVE_INFINITY;
  for (const contextBytes of CONTEXTS) {
    for (const fragmentation of FRAGMENTATIONS) {
      const memory = { contextBytes, fragmentation };
      const error = errorOfPeaks(measured, { ...constants, memory });
      if (error !== null && error < least) [best, least] = [memory, error];
    }
  }
  return best;
}

/** Each source's peaks predicted with the memory model's constants fitted to those of the others. */
export function leaveMemoryOut(
  rows: readonly Cells[],
  constants: Constants,
): readonly { readonly source: string; readonly rows: number; readonly error: number }[] {
  const measured = withPeak(rows);
  const sources = [...new Set(measured.map((row) => row.get('source') ?? ''))];
  return sources.flatMap((source) => {
    const own = measured.filter((row) => row.get('source') === source);
    const memory = fitMemory(
      measured.filter((row) => row.get('source') !== source),
      constants,
    );
    const error = errorOfPeaks(own, { ...constants, memory });
    return error === null ? [] : [{ source, rows: own.length, error }];
  });
}

const withPeak = (rows: readonly Cells[]): readonly Cells[] =>
  rows.filter((row) => isJudged(row.get('grade') ?? '') && Number.parseFloat(row.get('peak_mem_GB') ?? '') > 0);

const errorOfPeaks = (rows: readonly Cells[], constants: Constants): number | null =>
  summarise(rows, constants).result.memory.mean_abs_error;
