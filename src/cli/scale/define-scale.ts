import type { Command } from 'commander';
import { SCALE_GROUPS } from '../../scale/option-table.js';
import { addGroups, addOptions } from '../terminal/add-options.js';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import { DRY_FLAGS, type ScaleFlags } from './scale-flags.js';

/** `meanfield scale`. */
export function defineScale(program: Command, start: Start): void {
  const command = program
    .command('scale')
    .summary('train a ladder of models, fit a scaling law, predict a larger run and train it')
    .description(
      'Train models of five sizes for three lengths each on a text, fit L(N, D) = E + A/N^alpha + B/D^beta to their losses, predict the loss of a larger run with an interval of 90 %, and train that run.',
    )
    .argument('[file|folder...]', 'what to learn from; may be left out with --resume')
    .usage('[options] <file|folder...>');
  addOptions(addGroups(command, SCALE_GROUPS).optionsGroup('Output:'), DRY_FLAGS).action(
    (corpus: string[], flags: ScaleFlags) =>
      start(async (context) => (await import('./scale.js')).scale(corpus, flags, context)),
  );
  finish(command, [
    'meanfield scale books/ --dry-run',
    'meanfield scale books/ --budget-minutes 45 --out runs/books-scale',
    'meanfield scale books/ --predict 2000000 --seeds 1',
    'meanfield scale --out runs/books-scale --resume',
  ]);
}
