import type { Command } from 'commander';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import { notNegative, positive, whole } from '../terminal/values.js';
import type { GenerateFlags } from './generate.js';

/** `meanfield generate`. */
export function defineGenerate(program: Command, start: Start): void {
  const command = program
    .command('generate')
    .summary('let a model write')
    .description('Let the best model of a run, or a Hugging Face model folder, continue a text, as it comes.')
    .argument('<run>', 'run folder or model folder')
    .option('--prompt <text>', 'text to continue (default: none)')
    .option('--max-tokens <n>', 'tokens to write at most (default: 256)', whole)
    .option('--temperature <x>', '0 takes the most likely token, more is more varied (default: 0.8)', notNegative)
    .option('--top-k <n>', 'choose among the n most likely tokens, 0 for all (default: 200)', whole)
    .option(
      '--top-p <x>',
      'choose among the most likely tokens that together have probability x (default: 1)',
      positive,
    )
    .option(
      '--stop <text>',
      'end before this text when it comes; may be given several times',
      (text: string, before: readonly string[] = []) => [...before, text],
    )
    .option('--seed <n>', 'the same seed writes the same text (default: 1337)', whole)
    .action((run: string, options: GenerateFlags) =>
      start(async (context) => (await import('./generate.js')).generateText(run, options, context)),
    );
  finish(command, [
    'meanfield generate runs/book',
    'meanfield generate runs/book --prompt "Once upon" --max-tokens 500',
    'meanfield generate runs/book --temperature 0',
    `meanfield generate runs/play --prompt "ROMEO:" --stop $'\\n\\n'`,
  ]);
}
