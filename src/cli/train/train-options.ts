import { type Command, Option } from 'commander';
import { presetNames } from '../../model/presets.js';
import { OBJECTIVES } from '../../objectives/names.js';
import { count, fraction, notNegative, number, positive, whole } from '../terminal/values.js';

/** What commander makes of the options, under the names of `TrainOptions`. */
export type TrainFlags = Readonly<Record<string, string | number | boolean>>;

/** Adds what every training takes, on one machine or many: run, model, data, length, optimiser. */
export function addTrainOptions(command: Command): Command {
  return command
    .optionsGroup('Run:')
    .option('--run <folder>', 'where the run is kept (default: runs/ and the date)')
    .option('--resume', 'continue the run in its folder')
    .option('--force', 'take over the lock of another host; train although memory may not suffice')
    .option('--seed <n>', 'seed of everything random (default: 1337)', whole)
    .option('--checkpoint-every <n>', 'steps between checkpoints (default: as --eval-every)', count)
    .option('--keep <n>', 'checkpoints to keep (default: 2)', count)
    .optionsGroup('Model:')
    .addOption(new Option('--preset <name>', 'sizes that work well together (default: micro)').choices(presetNames))
    .addOption(
      new Option('--model <family>', 'model family (default: that of the preset)').choices(['gpt2', 'llama', 'bert']),
    )
    .addOption(
      new Option(
        '--objective <name>',
        'what is learned: the next token, or masked ones (default: causal; bert: masked)',
      ).choices(OBJECTIVES),
    )
    .option('--mask-rate <x>', 'masked: share of tokens to be told (default: 0.15)', fraction)
    .option('--layers <n>', 'blocks', count)
    .option('--width <n>', 'size of a token inside the model; a multiple of the heads', count)
    .option('--heads <n>', 'attention heads', count)
    .option('--kv-heads <n>', 'key and value heads (llama)', count)
    .option('--context <n>', 'longest sequence, in tokens', count)
    .optionsGroup('Data:')
    .addOption(new Option('--tokenizer <kind>', 'tokenizer (default: bpe)').choices(['chars', 'bytes', 'bpe']))
    .option('--vocab <n>', 'entries of the bpe tokenizer (default: 4096, or those of the preset)', count)
    .option('--field <name>', 'key of JSONL rows, or column of Parquet files, that holds the text')
    .option('--validation-fraction <x>', 'part of the text held out (default: 0.1)', fraction)
    .optionsGroup('Length:')
    .option('--steps <n>', 'inner steps of each replica (default: 2000)', count)
    .option('--tokens <n>', 'tokens to train on, over all replicas', count)
    .option('--minutes <n>', 'time to train for', positive)
    .option('--until-loss <x>', 'stop when the validation loss falls below', positive)
    .option('--patience <n>', 'stop after so many evaluations without a lower validation loss', count)
    .option('--eval-every <n>', 'steps between evaluations (default: 250)', count)
    .optionsGroup('Optimiser:')
    .option('--lr <x>', 'peak learning rate (default: by size, 3e-3 up to a million parameters)', positive)
    .option('--min-lr <x>', 'learning rate at the end (default: a tenth of --lr)', notNegative)
    .option('--warmup <n>', 'steps of warm-up (default: 100, at most a tenth of the run)', whole)
    .option('--weight-decay <x>', 'decay of matrices (default: 0.1)', notNegative)
    .option('--clip <x>', 'largest norm of a gradient, 0 for none (default: 1)', notNegative)
    .option('--batch-size <n>', 'sequences of a micro-batch, per replica (default: 12)', count)
    .option('--grad-accum <n>', 'micro-batches of a step, per replica (default: 1)', count);
}

/** Adds what says where a replica computes. */
export function addDeviceOptions(command: Command, threads: string): Command {
  return command
    .option('--threads <n>', threads, count)
    .addOption(
      new Option('--device <name>', 'where to compute (default: auto)').choices(['cpu', 'webgpu', 'cuda', 'auto']),
    );
}

/** Adds how often replicas are averaged, and how. */
export function addOuterOptions(command: Command): Command {
  return command
    .option('--sync-every <h>', 'inner steps between averages, 1 averages gradients (default: 25)', count)
    .addOption(new Option('--outer <name>', 'outer optimiser (default: nesterov)').choices(['average', 'nesterov']))
    .option('--outer-lr <x>', 'outer learning rate (default: 0.7)', positive)
    .option('--outer-momentum <x>', 'outer momentum, from 0 to below 1 (default: 0.7)', number)
    .addOption(new Option('--moments <name>', "AdamW's moments at a round's end (default: average)").choices(MOMENTS));
}

const MOMENTS = ['keep', 'average'];
