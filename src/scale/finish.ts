import { fitLaw } from '../planner/laws/fit.js';
import type { ScaleResult, Truth } from './events.js';
import { fitGap } from './gap-fit.js';
import { gapPoints, rungPoints, truthJobs, tunedRates } from './jobs.js';
import type { Ladder } from './ladder.js';
import type { LadderFolder, ScaleRecord } from './record.js';

/** What a ladder has come to so far: rates, the law, the prediction and the truth beside it. */
export function finish(
  { folder: out, record }: LadderFolder,
  ladder: Ladder,
): Omit<ScaleResult, 'files' | 'seconds' | 'interrupted'> {
  const { results, prediction } = record;
  const rates = tunedRates(ladder, results);
  if (!('law' in rates) || prediction === undefined)
    return { type: 'result', out, ...('law' in rates && { rates }), truths: [] };
  const points = rungPoints(ladder, results);
  const { law, rmse } = fitLaw(points);
  const truths = truthJobs(ladder, rates.law).flatMap(({ id, seed }): Truth[] => {
    const loss = results[id]?.loss;
    if (typeof loss !== 'number') return [];
    const inside = prediction.low <= loss && loss <= prediction.high;
    return [{ seed, loss, error: prediction.loss / loss - 1, inside }];
  });
  const gaps = gapsOf(record, ladder);
  return { type: 'result', out, rates, law, points: points.length, rmse, prediction, truths, ...(gaps && { gaps }) };
}

/** The gaps of averaging beside what was foretold, once something was. */
function gapsOf({ results, gaps: foretold }: ScaleRecord, ladder: Ladder): ScaleResult['gaps'] {
  if (foretold === undefined) return undefined;
  const fitted = gapPoints(ladder, results, 'gap');
  const truths = gapPoints(ladder, results, 'gapTruth').flatMap((point) => {
    const same = foretold.find(
      ({ replicas, syncEvery }) => replicas === point.replicas && syncEvery === point.syncEvery,
    );
    return same === undefined ? [] : [{ ...point, predicted: same.gap }];
  });
  return { law: fitGap(fitted), fitted, truths };
}
