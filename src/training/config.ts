import { z } from 'zod';
import { UsageError } from '../base/errors.js';
import { families } from '../model/model.js';
import { findPreset, presetNames } from '../model/presets.js';

const count = z.number().int().positive();
const whole = z.number().int().nonnegative();
const fraction = z.number().gt(0).lt(1);
const rate = z.number().positive();
const familyNames = Object.keys(families) as [string, ...string[]];

/**
 * Everything that `train` takes, under the names of the command line in camel case. What is left out is chosen: see
 * {@link resolveConfig}.
 */
export const trainOptionsSchema = z.strictObject({
  /** Files and folders of text, JSONL or Parquet. */
  corpus: z.array(z.string().min(1)).min(1),
  /** The run's folder. Default `runs/` and a name made of the date. */
  run: z.string().min(1).optional(),
  preset: z.enum(presetNames as [string, ...string[]]).optional(),
  model: z.enum(familyNames).optional(),
  layers: count.optional(),
  width: count.optional(),
  heads: count.optional(),
  kvHeads: count.optional(),
  /** The longest sequence, in tokens. */
  context: count.optional(),
  tokenizer: z.enum(['chars', 'bytes', 'bpe']).default('bpe'),
  /** Entries of the BPE tokenizer to train. */
  vocab: count.optional(),
  /** The key of JSONL rows, or the column of Parquet files, that holds the text. */
  field: z.string().min(1).optional(),
  /** Copies of the model that train side by side; `auto` measures which arrangement is fastest here. */
  replicas: z.union([count, z.literal('auto')]).default(1),
  /** Threads of each replica. Default: the machine's cores shared between replicas. */
  threads: count.optional(),
  device: z.enum(['cpu', 'webgpu', 'cuda', 'auto']).default('auto'),
  /** H: inner steps between two averages; 1 averages gradients. */
  syncEvery: count.default(25),
  outer: z.enum(['average', 'nesterov']).default('nesterov'),
  outerLr: rate.default(0.7),
  outerMomentum: z.number().min(0).lt(1).default(0.7),
  /** What becomes of AdamW's moments at a round's end. */
  moments: z.enum(['keep', 'average']).default('average'),
  /** The peak learning rate. Default 3e-3 for a million parameters or fewer, falling with the cube root of the size. */
  lr: rate.optional(),
  /** The learning rate at the end. Default a tenth of the peak. */
  minLr: z.number().nonnegative().optional(),
  /** Steps of linear warm-up. Default 100, at most a tenth of the run. */
  warmup: whole.optional(),
  weightDecay: z.number().nonnegative().default(0.1),
  /** The largest global norm of a gradient; 0 for none. */
  clip: z.number().nonnegative().default(1),
  /** Sequences of a micro-batch, per replica. */
  batchSize: count.default(12),
  /** Micro-batches of a step, per replica. */
  gradAccum: count.default(1),
  /** Inner steps per replica. Default 2000. */
  steps: count.optional(),
  /** Tokens to train on, over all replicas. */
  tokens: count.optional(),
  /** Wall time to train for. */
  minutes: z.number().positive().optional(),
  /** Stop when the validation loss falls below this, in nats per token. */
  untilLoss: z.number().positive().optional(),
  validationFraction: fraction.default(0.1),
  /** Steps between two evaluations; one takes place at the end of the round in which it falls. Default 250. */
  evalEvery: count.default(250),
  /** Steps between two checkpoints, likewise. Default as `evalEvery`. */
  checkpointEvery: count.optional(),
  /** Checkpoints to keep. */
  keep: count.default(2),
  seed: whole.default(1337),
  /** Continue the run in its folder. */
  resume: z.boolean().default(false),
  /** Take over a lock of another host. */
  force: z.boolean().default(false),
});

/** {@link trainOptionsSchema} as a caller writes it. */
export type TrainOptions = z.input<typeof trainOptionsSchema>;
/** Options with their defaults. */
export type ParsedTrainOptions = z.output<typeof trainOptionsSchema>;

/**
 * Checks options and fills in defaults.
 *
 * @throws UsageError naming every option that is wrong, as the command line spells it, and what is allowed
 */
export function parseTrainOptions(options: TrainOptions): ParsedTrainOptions {
  const result = trainOptionsSchema.safeParse(options, { reportInput: true });
  if (!result.success) {
    const problems = result.error.issues.map((issue) => {
      const name = issue.path.length > 0 ? optionName(String(issue.path[0])) : '';
      const got = issue.input === undefined ? '' : `, got ${JSON.stringify(issue.input)}`;
      return `${name} ${issue.message.replace(/^Invalid (input|option): /, '')}${got}`.trim();
    });
    throw new UsageError(`Cannot train with these options: ${problems.join('; ')}. See meanfield train --help.`);
  }
  const parsed = result.data;
  const limits = (['steps', 'tokens', 'minutes'] as const).filter((name) => parsed[name] !== undefined);
  if (limits.length > 1) {
    throw new UsageError(`Give one of --steps, --tokens and --minutes, not ${limits.map(optionName).join(' and ')}.`);
  }
  return parsed;
}

/** `kvHeads` as the command line spells it: `--kv-heads`. */
export function optionName(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** A model's sizes but for its vocabulary, which the tokenizer decides. */
export interface ModelShape {
  readonly family: string;
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly context: number;
}

/** The preset (`micro` unless named), with the sizes that were given in place of its own. */
export function modelShape(o: ParsedTrainOptions): ModelShape {
  const preset = findPreset(o.preset ?? (o.model === 'llama' ? 'llama-micro' : 'micro'));
  const heads = o.heads ?? preset.heads;
  return {
    family: o.model ?? preset.family,
    layers: o.layers ?? preset.layers,
    width: o.width ?? preset.width,
    heads,
    keyValueHeads: o.kvHeads ?? (o.heads ? heads : preset.keyValueHeads),
    context: o.context ?? preset.context,
  };
}

/** Vocabulary to aim at when a BPE tokenizer is trained. */
export function vocabularyGoal(o: ParsedTrainOptions): number {
  return o.vocab ?? findPreset(o.preset ?? 'micro').vocabulary ?? 4096;
}

/** The peak learning rate for a model of so many parameters, where none was given. */
export function defaultLearningRate(parameters: number): number {
  return 3e-3 * Math.min(1, Math.cbrt(1e6 / parameters));
}
