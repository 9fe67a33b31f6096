import type { Command } from 'commander';
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
    .argument('<file>', 'text in UTF-8, a line a text; - for standard input')
    .action((model: string, file: string) =>
      start(async (context) => (await import('./embed.js')).embedLines(model, file, context)),
    );
  finish(command, [
    'meanfield embed all-MiniLM-L6-v2 sentences.txt > vectors.txt',
    'echo "A cat sits on the mat." | meanfield embed all-MiniLM-L6-v2 -',
    'meanfield embed all-MiniLM-L6-v2 sentences.txt --json',
  ]);
}
