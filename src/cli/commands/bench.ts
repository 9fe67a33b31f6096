import type { Command } from 'commander';
import { finish } from '../common-options.js';
import type { Start } from '../context.js';

/** `meanfield bench`. */
export function defineBench(program: Command, start: Start): void {
  const command = program
    .command('bench')
    .summary('measure this machine beside other programs')
    .description(
      "Measure Meanfield beside other programs on this machine. It runs in a clone of Meanfield's repository.",
    )
    .argument('[name...]', 'what to measure (default: everything)')
    .action((names: string[]) => start(async (context) => (await import('../work/bench.js')).bench(names, context)));
  finish(command, ['meanfield bench', 'meanfield bench gemm train']);
}
