import type { Command } from 'commander';
import { ADAPTER_OPTIONS, EVALUATE_OPTIONS, MEMORY_OPTIONS, PRECISION_OPTIONS } from '../../inference/option-table.js';
import { addOptions } from '../terminal/add-options.js';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import type { EvalFlags } from './eval.js';

/** `meanfield eval`. */
export function defineEval(program: Command, start: Start): void {
  const command = program
    .command('eval')
    .summary('measure a model on text or conversations')
    .description(
      "Measure the best model of a run, or a Hugging Face model folder, on any text: the loss of each file's tokens. Of " +
        'rows of conversations, the loss of the answers. In another precision, beside what it is in fp32.',
    )
    .argument('<run>', 'run folder or model folder')
    .argument('<file|folder...>', 'text to predict, or conversations: files and folders, read as train reads them');
  addOptions(command, { ...EVALUATE_OPTIONS, ...ADAPTER_OPTIONS, ...PRECISION_OPTIONS, ...MEMORY_OPTIONS }).action(
    (run: string, files: string[], flags: EvalFlags) =>
      start(async (context) => (await import('./eval.js')).evaluateFiles(run, files, flags, context)),
  );
  finish(command, [
    'meanfield eval runs/book other-book.txt',
    'meanfield eval runs/helper chats.jsonl',
    'meanfield eval models/SmolLM2-135M-Instruct chats.jsonl --adapter runs/pirate',
    'meanfield eval runs/book other-book.txt --precision int8',
    'meanfield eval runs/book other-book.txt --stride 64',
    'meanfield eval models/Llama-3.1-8B book.txt --memory 4',
    'meanfield eval runs/book chapter-1.txt chapter-2.txt --json',
    'meanfield eval runs/chat held-out.jsonl.gz --field body',
  ]);
}
