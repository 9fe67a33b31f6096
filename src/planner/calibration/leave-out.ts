import type { Constants } from './constants.js';
import type { Cells } from './csv.js';
import { fitEfficiencies } from './fit.js';
import { isJudged } from './row.js';
import { summarise } from './validate.js';

/** A source predicted with constants that were fitted without it. */
export interface LeftOut {
  readonly source: string;
  readonly rows: number;
  /** Percent. */
  readonly error: number;
}

/**
 * Leave-one-source-out: each source's judged rows predicted with efficiencies fitted to all other sources. A pair of
 * framework and accelerator that only the source covers falls back to the default.
 *
 * @param refit what is fitted anew each time; default: the efficiencies alone
 */
export function leaveOneSourceOut(
  rows: readonly Cells[],
  constants: Constants,
  refit: (others: readonly Cells[], constants: Constants) => Constants = fitEfficiencies,
): readonly LeftOut[] {
  const judged = rows.filter((row) => isJudged(row.get('grade') ?? ''));
  const sources = [...new Set(judged.map((row) => row.get('source') ?? ''))];
  return sources.flatMap((source) => {
    const others = refit(
      judged.filter((row) => row.get('source') !== source),
      constants,
    );
    const own = judged.filter((row) => row.get('source') === source);
    const { rows: count, mean_abs_error: error } = summarise(own, others).result;
    return error === null ? [] : [{ source, rows: count, error }];
  });
}
