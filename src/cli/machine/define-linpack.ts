import { type Command, Option } from 'commander';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import { count } from '../terminal/values.js';
import type { LinpackFlags } from './linpack.js';

/** `meanfield linpack`. */
export function defineLinpack(program: Command, start: Start): void {
  const command = program
    .command('linpack')
    .summary('measure this machine by LINPACK and HPL-MxP')
    .description(
      "Measure this machine as the TOP500 measures its machines: solve HPL's random system of n equations in fp64 (HPL), and by factors in fp32 that GMRES refines to the same residual (HPL-MxP).",
    )
    .option('--n <n>', 'equations (default: 8,000, or what fits in a quarter of the free memory)', count)
    .option('--nb <n>', 'columns of a block (default: 256)', count)
    .option('--threads <n>', 'threads (default: the cores)', count)
    .addOption(new Option('--benchmark <name>', 'which').choices(['hpl', 'mxp', 'both']).default('both'))
    .action((options: LinpackFlags) =>
      start(async (context) => (await import('./linpack.js')).linpack(options, context)),
    );
  finish(command, ['meanfield linpack', 'meanfield linpack --n 20000 --benchmark hpl', 'meanfield linpack --json']);
}
