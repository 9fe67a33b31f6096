import { dirname } from 'node:path';
import { UsageError } from '../../base/errors.js';
import type { OptionsOf } from '../../base/option-table.js';
import { startTraining } from '../../local/train.js';
import type { TrainResult } from '../../run/events.js';
import { TRAIN_OPTIONS } from '../../run/option-table.js';
import { bringModel } from '../hub/bring-model.js';
import { pickOptions } from '../terminal/add-options.js';
import { type Context, INTERRUPTED } from '../terminal/context.js';
import { follow } from '../terminal/follow.js';
import { bytes, duration, grouped, loss, shellQuote, short } from '../terminal/format.js';
import { nextCommands } from './run-lines.js';
import { TrainProgress } from './train-progress.js';

/** What commander makes of the options. */
export type TrainFlags = OptionsOf<typeof TRAIN_OPTIONS>;

/** Trains, telling its events; Ctrl-C finishes the round and saves. */
export async function train(corpus: readonly string[], flags: TrainFlags, context: Context): Promise<number> {
  if (corpus.length === 0 && flags.resume !== true) {
    throw new UsageError('Missing argument: name a text file or a folder to learn from. See meanfield train --help.');
  }
  for (const model of flags.resume ? [] : [flags.from, flags.teacher])
    if (!(await bringModel(model, context))) return INTERRUPTED;
  const training = startTraining({ ...pickOptions(TRAIN_OPTIONS, flags), corpus });
  const result = await follow(training, context, {
    display: new TrainProgress(context.output),
    stopping: 'stopping: finishing the round, then saving',
    stop: () => training.stop(),
    summary,
  });
  return result.interrupted ? INTERRUPTED : 0;
}

/** Why a run is over, but for its length. */
const REASONS: Readonly<Record<string, string>> = {
  loss: ' The loss was reached.',
  patience: ' It got no better any more.',
  minutes: ' The time is over.',
};

/** How a run ended, and what can be done next. */
export function summary(result: TrainResult): string {
  const run = shellQuote(result.run);
  const head = result.interrupted ? `Interrupted at step ${grouped(result.step)}; saved.` : 'Done.';
  const bits = result.bitsPerByte === undefined ? '' : ` (${result.bitsPerByte.toFixed(3)} bits/byte)`;
  const lines = [
    '',
    `${head}${REASONS[result.ended] ?? ''} ${grouped(result.step)} steps, ${short(result.tokens)} tokens in ` +
      `${duration(result.seconds)} (${short(result.tokensPerSecond)} tokens/s), at most ` +
      `${bytes(result.peakMemoryBytes)} of memory.`,
    `Validation loss ${loss(result.valLoss)}, best ${loss(result.bestValLoss)}${bits} at step ${grouped(result.bestStep)}. The best model: ${result.run}/model`,
    '',
    'Next:',
    ...nextCommands(result.objective, run),
  ];
  if (result.interrupted) lines.push(`  meanfield train --run ${run} --resume`);
  lines.push(`  tensorboard --logdir ${shellQuote(dirname(result.run))}     (curves; pip install tensorboard)`);
  return `${lines.join('\n')}\n`;
}
