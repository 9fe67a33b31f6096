import { type Command, Option } from 'commander';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import { count, notNegative, whole } from '../terminal/values.js';
import { definePlanOptions, type PlanFlags } from './plan-options.js';

/** `meanfield plan simulate`. */
export function definePlanSimulate(plan: Command, start: Start): void {
  const command = plan
    .command('simulate')
    .summary('play a schedule event by event, and write it as a trace')
    .description(
      'Play what `plan` chose on a virtual clock: a step of its pipeline or of ZeRO-3, rounds of averaging, or one exchange ' +
        'of all replicas; with --trace as a file that ui.perfetto.dev opens.',
    );
  definePlanOptions(command)
    .option('--trace <file>', "write the events in Chrome's trace format")
    .optionsGroup('Simulation:')
    .addOption(
      new Option('--schedule <name>', 'what to play (default: after the plan)').choices([
        ...['pipeline', 'zero', 'averaging', 'exchange'],
      ]),
    )
    .option('--rounds <n>', 'rounds of averaging (default: 10)', count)
    .option('--jitter <x>', 'standard deviation of the logarithm of each time (default: 0)', notNegative)
    .option('--prefetch <n>', 'layers gathered ahead with ZeRO-3 (default: 1)', whole)
    .option('--shards <n>', 'pieces of the vector in an exchange (default: one a replica, at most 256)', count)
    .option('--seed <n>', 'seed of everything random (default: 1)', whole)
    .optionsGroup('Output:')
    // `plan` takes the options that both know, wherever they stand.
    .action((_: object, self: Command) =>
      start(async (context) =>
        (await import('./plan-simulate.js')).simulate(self.optsWithGlobals<PlanFlags>(), context),
      ),
    );
  finish(command, [
    'meanfield plan simulate --model turing-nlg-17b --cluster 64xa100 --pipeline 6 --trace step.json',
    'meanfield plan simulate --model gpt2 --cluster laptops-16 --schedule averaging --speed-spread 2',
  ]);
}
