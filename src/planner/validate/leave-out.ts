import type { Constants } from '../catalogue/constants.js';
import type { Cells } from '../catalogue/csv.js';
import { fitEfficiencies, samplesOf, withDefaults } from './fit.js';
import { isJudged, type RowResult } from './row.js';
import { summarise } from './validate.js';

/** A source predicted with constants that were fitted without it. */
export interface LeftOut {
  readonly source: string;
  readonly rows: number;
  /** Percent, the mean and the worst row's. */
  readonly error: number;
  readonly worst: number;
  readonly results: readonly RowResult[];
}

/** Fits constants to rows; the shipped ones are where it starts. */
export type Refit = (rows: readonly Cells[], constants: Constants) => Constants;

/**
 * Leave-one-source-out: each source's judged rows predicted with efficiencies fitted to all other sources. A pair of
 * framework and accelerator that only the source covers falls back to the default.
 *
 * @param refit what is fitted anew each time; default: the efficiencies alone
 * @param unseen also forgets every efficiency of the source's frameworks and of its accelerators, whoever measured
 *   them: what is left is what the planner knows of a stack and a card that nobody measured
 */
export function leaveOneSourceOut(
  rows: readonly Cells[],
  constants: Constants,
  { refit = fitEfficiencies, unseen = false }: { readonly refit?: Refit; readonly unseen?: boolean } = {},
): readonly LeftOut[] {
  const judged = rows.filter((row) => isJudged(row.get('grade') ?? ''));
  const sources = [...new Set(judged.map((row) => row.get('source') ?? ''))];
  return sources.flatMap((source) => {
    const own = judged.filter((row) => row.get('source') === source);
    const others = refit(
      judged.filter((row) => row.get('source') !== source),
      constants,
    );
    const { rows: results, result } = summarise(own, unseen ? withoutPairsOf(own, others) : others);
    const errors = results.flatMap(({ speed }) => speed?.error ?? []);
    const { rows: count, mean_abs_error: error } = result;
    return error === null ? [] : [{ source, rows: count, error, worst: Math.max(...errors), results }];
  });
}

/** Constants with no efficiency of any framework or accelerator that the rows have. */
function withoutPairsOf(own: readonly Cells[], constants: Constants): Constants {
  const seen = new Set(samplesOf(own, constants).flatMap(({ run }) => run.pair.split(' @ ')));
  const fitted = Object.fromEntries(
    Object.entries(constants.efficiency.fitted).filter(([pair]) => !pair.split(' @ ').some((part) => seen.has(part))),
  );
  return withDefaults(fitted, constants);
}
