import { SCALE_OPTIONS } from '../../scale/option-table.js';
import { startScaling } from '../../scale/scale.js';
import { pickOptions } from '../terminal/add-options.js';
import { type Context, INTERRUPTED } from '../terminal/context.js';
import { follow } from '../terminal/follow.js';
import type { ScaleFlags } from './scale-flags.js';
import { ScaleProgress } from './scale-progress.js';
import { summary } from './scale-text.js';

/** Trains a ladder, telling its events; Ctrl-C saves the runs in work. */
export async function scale(corpus: readonly string[], flags: ScaleFlags, context: Context): Promise<number> {
  const dryRun = flags.dryRun === true;
  const ladder = startScaling({ ...pickOptions(SCALE_OPTIONS, flags), corpus }, dryRun);
  const result = await follow(ladder, context, {
    display: new ScaleProgress(context.output, dryRun),
    stopping: 'stopping: finishing the rounds in progress, then saving',
    stop: () => ladder.stop(),
    summary: (result) => (dryRun ? '' : summary(result)),
  });
  return result.interrupted ? INTERRUPTED : 0;
}
