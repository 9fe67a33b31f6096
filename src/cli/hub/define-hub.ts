import type { Command } from 'commander';
import { PUSH_OPTIONS } from '../../hub/remote/option-table.js';
import { addOptions } from '../terminal/add-options.js';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import type { PushFlags } from './push.js';

/** `meanfield pull` and `meanfield push`. */
export function defineHub(program: Command, start: Start): void {
  const pull = program
    .command('pull')
    .summary('bring a model of the Hugging Face hub here')
    .description(
      "Bring a model of the Hugging Face hub into its cache (HF_HUB_CACHE, HF_HOME), as Python's huggingface_hub does, or a " +
        'newer version of one that is there. Cut off, it goes on where it was. For what is private or gated set HF_TOKEN.',
    )
    .argument('<org/name[@revision]>', 'model of the hub, and its branch, tag or commit')
    .action((model: string) => start(async (context) => (await import('./pull.js')).pull(model, context)));
  finish(pull, [
    'meanfield pull HuggingFaceTB/SmolLM2-135M-Instruct',
    'meanfield pull sentence-transformers/all-MiniLM-L6-v2@main --json',
  ]);
  const push = program
    .command('push')
    .summary('put a folder on the Hugging Face hub')
    .description(
      'Put the files of a folder into a model of the Hugging Face hub, in one commit; the model is made where there is none. ' +
        'HF_TOKEN must have the right to write.',
    )
    .argument('<folder>', 'as export writes it')
    .argument('<org/name>', 'model of the hub');
  addOptions(push, PUSH_OPTIONS).action((folder: string, model: string, flags: PushFlags) =>
    start(async (context) => (await import('./push.js')).push(folder, model, flags, context)),
  );
  finish(push, [
    'meanfield push book-hf me/book --private',
    'meanfield push helper-peft me/helper --branch v2 --message "Longer answers"',
  ]);
}
