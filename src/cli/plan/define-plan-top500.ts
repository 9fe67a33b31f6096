import type { Command } from 'commander';
import { addOptions } from '../terminal/add-options.js';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import { TOP500_FLAGS } from './plan-options.js';

/** `meanfield plan top500`. */
export function definePlanTop500(plan: Command, start: Start): void {
  const command = plan
    .command('top500')
    .summary('rank of a machine on the TOP500 lists')
    .description(
      'Tell where a machine would stand on TOP500 lists: by its Rmax in teraflops, or by that estimated for a cluster.',
    );
  // `plan` takes the options that both know, wherever they stand.
  addOptions(command, TOP500_FLAGS).action((_: object, self: Command) =>
    start(async (context) => (await import('./plan-top500.js')).showRank(self.optsWithGlobals(), context)),
  );
  finish(command, [
    'meanfield plan top500 --rmax 38745 --list 2020-06',
    'meanfield plan top500 --cluster azure-openai-2020',
  ]);
}
