import type { Command } from 'commander';
import { addOptions } from '../terminal/add-options.js';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import { CHECK_OPTIONS, type CheckFlags } from './check-options.js';

/** `meanfield data`. */
export function defineData(program: Command, start: Start): void {
  const data = program.command('data').summary('look at data before it is learned').helpCommand(false);
  const command = data
    .command('check')
    .summary('show rows as a model will see them, and every fault')
    .description(
      'Show the first rows as a model will see them, what is learned in brackets, and every fault of all rows. Exit code ' +
        '1 where a row could not be used at all.',
    )
    .argument('<file...>', 'files and folders of rows: JSON Lines, JSON arrays, Parquet');
  addOptions(command, CHECK_OPTIONS).action((files: string[], flags: CheckFlags) =>
    start(async (context) => (await import('./check.js')).checkData(files, flags, context)),
  );
  finish(command, [
    'meanfield data check chats.jsonl',
    'meanfield data check chats.jsonl --from runs/helper --json',
    'meanfield data check rows.jsonl --from google-t5/t5-small',
  ]);
  finish(data, ['meanfield data check chats.jsonl']);
}
