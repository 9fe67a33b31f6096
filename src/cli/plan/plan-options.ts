import { type Command, Option } from 'commander';
import { count, number, positive, whole } from '../terminal/values.js';

/** The options of {@link PlanFlags}, which `plan` and `plan simulate` take. Work checks bounds across them. */
export function definePlanOptions(command: Command): Command {
  return command
    .optionsGroup('What and where:')
    .option('--model <name|file>', 'model of `plan models`, or a Hugging Face config.json')
    .option(
      '--cluster <name|file>',
      'cluster of `plan clusters`, NxACCELERATOR such as 64xh100, a JSON file, or `this` machine, measured',
    )
    .option('--framework <name>', 'training software whose habits to assume (default: a PyTorch trainer of 2024)')
    .option('--calibration <file>', 'what your own measurements say, as `plan calibrate` writes it')
    .optionsGroup('How much:')
    .option('--tokens <n>', 'tokens to train on (default: 20 a parameter)', positive)
    .option('--flop <x>', 'FLOP of the model to spend, instead of tokens', positive)
    .option('--budget-usd <x>', 'US dollars that the run may cost', positive)
    .option('--until <date>', 'date by which it must end, such as 2027-06-30')
    .addOption(
      new Option('--law <name>', 'scaling law for the largest model (default: replication)').choices([
        'chinchilla',
        'replication',
        'kaplan',
      ]),
    )
    .optionsGroup('A step:')
    .option('--sequence <n>', "tokens of a sequence (default: the model's context, at most 8192)", count)
    .option('--global-batch <n>', 'sequences of a step, over all replicas (default: by the compute)', count)
    .addOption(
      new Option('--precision <format>', 'format of matrix products (default: bf16, fp16 or fp32)').choices([
        ...['fp32', 'tf32', 'fp16', 'bf16', 'fp8', 'mxfp8', 'nvfp4'],
      ]),
    )
    .optionsGroup('Arrangement (default: searched):')
    .option('--tensor <n>', 'devices that share each matrix', count)
    .option('--pipeline <n>', 'stages of layers', count)
    .option('--context-parallel <n>', 'devices that share a sequence', count)
    .option('--micro-batch <n>', 'sequences of a micro-batch', count)
    .option('--zero <n>', 'ZeRO stage, 0 to 3', whole)
    .addOption(new Option('--recompute <how>', 'recomputation of activations').choices(['none', 'selective', 'full']))
    .addOption(
      new Option('--offload <what>', 'what is kept on the host').choices(['none', 'optimizer', 'optimizer+parameters']),
    )
    .optionsGroup('Periodic averaging:')
    .addOption(
      new Option('--method <name>', 'data: exchange every step; averaging: every H (default: auto)').choices([
        'auto',
        'data',
        'averaging',
      ]),
    )
    .option('--replicas <n>', 'replicas that are averaged', count)
    .option('--sync-every <h>', 'inner steps between averages', count)
    .addOption(
      new Option('--outer-precision <format>', 'format that changes travel in (default: bf16)').choices([
        ...['fp32', 'bf16', 'int8', 'int4'],
      ]),
    )
    .addOption(new Option('--moments <name>', "AdamW's moments (default: keep)").choices(['keep', 'average']))
    .option('--fragments <n>', 'parts of the model that are averaged in turn (default: 1)', count)
    .option('--overlap-steps <n>', 'steps during which a part may travel (default: 0)', number)
    .option('--speed-spread <x>', 'how much faster the fastest replica is than the slowest (default: 1)', number)
    .optionsGroup('Output:');
}

/** What commander makes of the options. */
export type PlanFlags = Readonly<Record<string, string | number | boolean | undefined>>;
