import type { Command } from 'commander';
import { SERVE_GROUPS } from '../../serve/option-table.js';
import { addGroups } from '../terminal/add-options.js';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import type { ServeFlags } from './serve.js';

/** `meanfield serve`. */
export function defineServe(program: Command, start: Start): void {
  const command = program
    .command('serve')
    .summary('serve models over HTTP')
    .description(
      'Serve models over HTTP as clients of the OpenAI API know it: chats, completions, vectors, moderations, ranks. ' +
        'A model is opened when it is first asked for, the first one at once. Ctrl-C lets running requests end.',
    )
    .argument('<model...>', 'run folders, model folders, .gguf files or org/name of the hub; NAME=MODEL gives a name');
  addGroups(command, SERVE_GROUPS)
    .optionsGroup('Output:')
    .action((models: string[], flags: ServeFlags) =>
      start(async (context) => (await import('./serve.js')).serveModels(models, flags, context)),
    );
  finish(command, [
    'meanfield serve runs/book',
    'meanfield serve runs/book --follow',
    'meanfield serve HuggingFaceTB/SmolLM2-135M-Instruct --precision int8 --port 8000',
    'meanfield serve chat=models/SmolLM2-135M-Instruct all-MiniLM-L6-v2 --adapter pirate=runs/pirate@chat',
    'meanfield serve runs/helper --host 0.0.0.0 --api-key @keys.txt --cert cert.pem --key key.pem',
    `curl http://127.0.0.1:8080/v1/chat/completions -d '{"messages":[{"role":"user","content":"Hello"}]}'`,
  ]);
}
