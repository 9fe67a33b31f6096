import type { Command } from 'commander';
import { addOptions } from '../terminal/add-options.js';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import { TRENDS_FLAGS } from './plan-options.js';

/** `meanfield plan trends`. */
export function definePlanTrends(plan: Command, start: Start): void {
  const command = plan
    .command('trends')
    .summary('doubling times of training compute and algorithmic efficiency')
    .description(
      'Fit the time in which the compute of training runs, and the efficiency of algorithms, double, by regression and by ' +
        'endpoints, and draw them.',
    );
  // `plan` takes the options that both know, wherever they stand.
  addOptions(command, TRENDS_FLAGS).action((_: object, self: Command) =>
    start(async (context) => (await import('./plan-trends.js')).showTrends(self.optsWithGlobals(), context)),
  );
  finish(command, ['meanfield plan trends', 'meanfield plan trends --html trends.html']);
}
