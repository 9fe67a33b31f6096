import type { Command } from 'commander';
import type { OptionsOf } from '../../base/option-table.js';
import { addOptions } from '../terminal/add-options.js';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import { FIT_FLAGS } from './plan-options.js';

/** `meanfield plan fit`. */
export function definePlanFit(plan: Command, start: Start): void {
  const command = plan
    .command('fit')
    .summary('fit a scaling law to a table of runs')
    .description(
      'Fit L(N, D) = E + A/N^alpha + B/D^beta to a table of training runs by Huber loss and L-BFGS from a grid of starts. ' +
        'Without a table: to the points of Chinchilla.',
    )
    .argument('[table.csv]', 'columns parameters, tokens (or flop) and loss');
  addOptions(command, FIT_FLAGS).action((file: string | undefined, flags: OptionsOf<typeof FIT_FLAGS>) =>
    start(async (context) => (await import('./plan-fit.js')).fit(file, flags, context)),
  );
  finish(command, ['meanfield plan fit runs.csv', 'meanfield plan fit --json']);
}
