import type { Command } from 'commander';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';

/** `meanfield info`. */
export function defineInfo(program: Command, start: Start): void {
  const command = program
    .command('info')
    .summary('tell what a run is and how far it came')
    .description(
      'Tell the configuration, size, data, best loss and environment of a run, or of a Hugging Face model folder.',
    )
    .argument('<run>', 'run folder or model folder')
    .action((run: string) => start(async (context) => (await import('./info.js')).showInfo(run, context)));
  finish(command, ['meanfield info runs/book', 'meanfield info runs/book --json']);
}
