import type { Constants } from '../catalogue/constants.js';
import type { Cells } from '../catalogue/csv.js';
import { type ErrorPoint, featuresOf } from '../run/interval.js';
import { describeRun } from './describe.js';
import type { LeftOut } from './leave-out.js';
import { isSlowness } from './measure.js';

/** What sources that were left out came to, row by row. */
export function errorPoints(
  left: readonly LeftOut[],
  rows: readonly Cells[],
  constants: Constants,
): readonly ErrorPoint[] {
  const byId = new Map(rows.map((row) => [row.get('id') ?? '', row]));
  return left.flatMap(({ results }) =>
    results.flatMap(({ id, source, unit, speed }) => {
      const cells = byId.get(id);
      const run = cells && speed ? describeRun(cells, constants) : '';
      if (!speed || !unit || run === undefined || typeof run === 'string') return [];
      const ratio = isSlowness(unit) ? speed.predicted / speed.printed : speed.printed / speed.predicted;
      return [{ source, ratio, ...featuresOf(run.workload, run.cluster.accelerator, run.arrangement) }];
    }),
  );
}
