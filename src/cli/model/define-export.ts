import type { Command } from 'commander';
import { EXPORT_OPTIONS } from '../../export/option-table.js';
import { addOptions } from '../terminal/add-options.js';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import type { ExportFlags } from './export.js';

/** `meanfield export`. */
export function defineExport(program: Command, start: Start): void {
  const command = program
    .command('export')
    .summary('write a model for other programs')
    .description(
      'Write the best model of a run, or any other model, in the form that another program reads. An adapter is joined ' +
        'with its base, unless it is to be written alone.',
    )
    .argument('<model>', 'run folder, model folder, folder of an adapter, or org/name of the hub');
  addOptions(command, EXPORT_OPTIONS).action((model: string, flags: ExportFlags) =>
    start(async (context) => (await import('./export.js')).exportTo(model, flags, context)),
  );
  finish(command, [
    'meanfield export runs/book --to hf',
    'meanfield export runs/book --to hf --dtype bf16 --shard-size 2 --out book-bf16',
    'meanfield export runs/helper --to peft --base HuggingFaceTB/SmolLM2-135M-Instruct',
    'meanfield export runs/encoder --to st --out encoder-st',
    'meanfield export runs/book --to gguf --dtype q8_0',
    'meanfield export runs/book --to onnx --also q8',
  ]);
}
