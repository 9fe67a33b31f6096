import type { Command } from 'commander';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import { whole } from '../terminal/values.js';

/** `meanfield plan fit`. */
export function definePlanFit(plan: Command, start: Start): void {
  const command = plan
    .command('fit')
    .summary('fit a scaling law to a table of runs')
    .description(
      'Fit L(N, D) = E + A/N^alpha + B/D^beta to a table of training runs by Huber loss and L-BFGS from a grid of starts. ' +
        'Without a table: to the points of Chinchilla.',
    )
    .argument('[table.csv]', 'columns parameters, tokens (or flop) and loss')
    .option('--drop <n>', 'points with the fewest tokens per parameter to leave out (default: 5 in 245)', whole)
    .action((file: string | undefined, flags: { readonly drop?: number }) =>
      start(async (context) => (await import('./plan-fit.js')).fit(file, flags, context)),
    );
  finish(command, ['meanfield plan fit runs.csv', 'meanfield plan fit --json']);
}
