import type { Command } from 'commander';
import { TRAIN_GROUPS } from '../../run/option-table.js';
import { addGroups } from '../terminal/add-options.js';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import type { TrainFlags } from './train.js';

/** `meanfield train`. */
export function defineTrain(program: Command, start: Start): void {
  const command = program
    .command('train')
    .summary('train a language model from text')
    .description('Train a language model from text files, folders, JSONL, gzip or Parquet, on this machine.')
    .argument('[file|folder...]', 'what to learn from; may be left out with --resume')
    .usage('[options] <file|folder...>');
  addGroups(command, TRAIN_GROUPS)
    .optionsGroup('Output:')
    .action((corpus: string[], options: TrainFlags) =>
      start(async (context) => (await import('./train.js')).train(corpus, options, context)),
    );
  finish(command, [
    'meanfield train book.txt --run runs/book',
    'meanfield train notes/ --preset mini --minutes 10 --replicas auto',
    'meanfield train rows.jsonl --field text --tokenizer bpe --vocab 8192 --run runs/rows',
    'meanfield train notes/ --from runs/book --run runs/notes',
    'meanfield train notes/ --teacher runs/book --layers 2 --width 64 --heads 2 --run runs/small',
    'meanfield train books/ --preset gpt2-124m --context 512 --batch-size 1 --memory 2',
    'meanfield train book.txt --run runs/book --resume',
  ]);
}
