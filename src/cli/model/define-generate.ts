import type { Command } from 'commander';
import { ADAPTER_OPTIONS, MEMORY_OPTIONS, PRECISION_OPTIONS, SAMPLING_OPTIONS } from '../../inference/option-table.js';
import { addOptions } from '../terminal/add-options.js';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import type { GenerateFlags } from './generate.js';

/** `meanfield generate`. */
export function defineGenerate(program: Command, start: Start): void {
  const command = program
    .command('generate')
    .summary('let a model write')
    .description(
      'Let the best model of a run, or a Hugging Face model folder, continue a text, or write what belongs to a source, as it comes.',
    )
    .argument('<run>', 'run folder or model folder');
  command.option('--chat', 'answer --prompt, or else each line of standard input, as turns of a conversation');
  addOptions(command, { ...SAMPLING_OPTIONS, ...ADAPTER_OPTIONS, ...PRECISION_OPTIONS, ...MEMORY_OPTIONS }).action(
    (run: string, flags: GenerateFlags) =>
      start(async (context) => (await import('./generate.js')).generateText(run, flags, context)),
  );
  finish(command, [
    'meanfield generate runs/book',
    'meanfield generate runs/book --prompt "Once upon" --max-tokens 500',
    'meanfield generate runs/book --temperature 0',
    'meanfield generate runs/helper --chat --prompt "What is 2 plus 3?"',
    'meanfield generate runs/helper --chat',
    'meanfield generate runs/translator --prompt "translate English to German: Good night." --temperature 0',
    'meanfield generate models/SmolLM2-135M-Instruct --precision int8 --prompt "Once upon"',
    'meanfield generate models/Llama-3.1-8B --prompt "Once upon" --max-tokens 20 --memory 4',
    'meanfield generate models/SmolLM2-135M-Instruct --adapter runs/pirate --chat',
    `meanfield generate runs/play --prompt "ROMEO:" --stop $'\\n\\n'`,
  ]);
}
