import type { Command } from 'commander';
import type { OptionsOf } from '../../base/option-table.js';
import { addOptions } from '../terminal/add-options.js';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import { LINPACK_FLAGS } from './linpack-options.js';

/** `meanfield linpack`. */
export function defineLinpack(program: Command, start: Start): void {
  const command = program
    .command('linpack')
    .summary('measure this machine by LINPACK and HPL-MxP')
    .description(
      "Measure this machine as the TOP500 measures its machines: solve HPL's random system of n equations in fp64 (HPL), and by factors in fp32 that GMRES refines to the same residual (HPL-MxP). With --machines others solve one system together.",
    );
  addOptions(command, LINPACK_FLAGS).action((flags: OptionsOf<typeof LINPACK_FLAGS>) =>
    start(async (context) => (await import('./linpack.js')).linpack(flags, context)),
  );
  finish(command, [
    'meanfield linpack',
    'meanfield linpack --n 20000 --benchmark hpl',
    'meanfield linpack --json',
    'meanfield linpack --machines 2x2 --host 192.168.1.10',
    'meanfield linpack --join INVITATION',
  ]);
}
