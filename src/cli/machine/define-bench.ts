import type { Command } from 'commander';
import { UsageError } from '../../base/errors.js';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';

/** `meanfield bench`. */
export function defineBench(program: Command, start: Start): void {
  const command = program
    .command('bench')
    .summary('measure this machine beside other programs')
    .description(
      "Measure Meanfield beside other programs on this machine, in a clone of Meanfield's repository; or, anywhere, what " +
        'the planner needs to know of this machine (--calibrate).',
    )
    .argument('[name...]', 'what to measure (default: everything)')
    .option(
      '--calibrate [file]',
      'instead, train for some seconds at a few sizes and write rows for `plan calibrate` (default: calibrate.csv)',
    )
    .action((names: string[], { calibrate }: { readonly calibrate?: string | true }) =>
      start(async (context) => {
        if (calibrate === undefined) return (await import('./bench.js')).bench(names, context);
        if (names.length > 0) {
          throw new UsageError(`--calibrate measures nothing else: leave out ${names.join(' ').slice(0, 80)}.`);
        }
        const file = calibrate === true ? 'calibrate.csv' : calibrate;
        return (await import('./bench-calibrate.js')).benchCalibrate(file, context);
      }),
    );
  finish(command, ['meanfield bench', 'meanfield bench gemm train', 'meanfield bench --calibrate this.csv']);
}
