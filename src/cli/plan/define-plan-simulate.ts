import type { Command } from 'commander';
import { SIMULATION_OPTIONS } from '../../planner/simulate/option-table.js';
import { addGroups, addOptions } from '../terminal/add-options.js';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import { definePlanOptions, TRACE_FLAGS } from './plan-options.js';

/** `meanfield plan simulate`. */
export function definePlanSimulate(plan: Command, start: Start): void {
  const command = plan
    .command('simulate')
    .summary('play a schedule event by event, and write it as a trace')
    .description(
      'Play what `plan` chose on a virtual clock: a step of its pipeline or of ZeRO-3, rounds of averaging, or one exchange ' +
        'of all replicas; with --trace as a file that ui.perfetto.dev opens.',
    );
  addOptions(definePlanOptions(command), TRACE_FLAGS);
  addGroups(command, { Simulation: SIMULATION_OPTIONS })
    .optionsGroup('Output:')
    // `plan` takes the options that both know, wherever they stand.
    .action((_: object, self: Command) =>
      start(async (context) => (await import('./plan-simulate.js')).simulate(self.optsWithGlobals(), context)),
    );
  finish(command, [
    'meanfield plan simulate --model turing-nlg-17b --cluster 64xa100 --pipeline 6 --trace step.json',
    'meanfield plan simulate --model gpt2 --cluster laptops-16 --schedule averaging --speed-spread 2',
  ]);
}
