import type { Command } from 'commander';
import { PRECISION_OPTIONS } from '../../inference/option-table.js';
import { addOptions } from '../terminal/add-options.js';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';

/** `meanfield embed`. */
export function defineEmbed(program: Command, start: Start): void {
  const command = program
    .command('embed')
    .summary('turn lines of text into vectors')
    .description(
      "Turn each line of a text into a vector, as the model's modules.json says (sentence-transformers), else by the " +
        'mean of its hidden states. A line of output has the numbers of a vector, with spaces between.',
    )
    .argument('<model>', 'model folder or run folder')
    .argument('<file>', 'text in UTF-8, a line a text; - for standard input');
  addOptions(command, { precision: { ...PRECISION_OPTIONS.precision, choices: ['fp32', 'int8'] } }).action(
    (model: string, file: string, flags: { readonly precision: 'fp32' | 'int8' }) =>
      start(async (context) => (await import('./embed.js')).embedLines(model, file, flags, context)),
  );
  finish(command, [
    'meanfield embed all-MiniLM-L6-v2 sentences.txt > vectors.txt',
    'echo "A cat sits on the mat." | meanfield embed all-MiniLM-L6-v2 -',
    'meanfield embed all-MiniLM-L6-v2 sentences.txt --json',
    'meanfield embed all-MiniLM-L6-v2 sentences.txt --precision int8 > vectors.txt',
  ]);
}
