import { fitLaw } from '../planner/laws/fit.js';
import type { ScaleResult, Truth } from './events.js';
import { rungPoints, truthJobs, tunedRates } from './jobs.js';
import type { Ladder } from './ladder.js';
import type { LadderFolder } from './record.js';

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
  return { type: 'result', out, rates, law, points: points.length, rmse, prediction, truths };
}
