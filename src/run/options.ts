import { z } from 'zod';
import { UsageError } from '../base/errors.js';
import { optionIssues, optionName } from '../base/option-issues.js';
import { type FamilyName, families } from '../model/model.js';
import { findPreset, type PresetName, presetNames } from '../model/presets.js';
import { OBJECTIVES, type ObjectiveName } from '../objectives/names.js';

const count = z.number().int().positive();
const whole = z.number().int().nonnegative();
const fraction = z.number().gt(0).lt(1);
const rate = z.number().positive();
const familyNames = Object.keys(families) as FamilyName[];

/**
 * Everything that `train` takes, under the names of the command line in camel case. What is left out is chosen.
 *
 * @category Training
 */
export interface TrainOptions {
  /** Files and folders of text, JSONL or Parquet. */
  corpus: readonly string[];
  /** The run's folder. Default `runs/` and a name made of the date. */
  run?: string | undefined;
  /** Sizes that work well together, by name. Default `micro`. */
  preset?: PresetName | undefined;
  /** The family. Default that of the preset. */
  model?: FamilyName | undefined;
  /** What is learned: the next token, or masked ones from all around them. Default `causal`, with `bert` `masked`. */
  objective?: ObjectiveName | undefined;
  /** With `masked`, the share of tokens to be told. Default 0.15. */
  maskRate?: number | undefined;
  /** Blocks. */
  layers?: number | undefined;
  /** The size of a token inside the model, a multiple of `heads`. */
  width?: number | undefined;
  /** Attention heads. */
  heads?: number | undefined;
  /** Heads of keys and values, of `llama`; a divisor of `heads`. */
  kvHeads?: number | undefined;
  /** The longest sequence, in tokens. */
  context?: number | undefined;
  /** Default `bpe`. */
  tokenizer?: 'chars' | 'bytes' | 'bpe' | undefined;
  /** Entries of the BPE tokenizer to train. Default those of the preset, or by the size of the text. */
  vocab?: number | undefined;
  /** The key of JSONL rows, or the column of Parquet files, that holds the text. */
  field?: string | undefined;
  /** Copies of the model that train side by side; `auto` measures which arrangement is fastest here. Default 1. */
  replicas?: number | 'auto' | undefined;
  /** Threads of each replica. Default: the machine's cores shared between replicas. */
  threads?: number | undefined;
  /** Default `auto`. */
  device?: 'cpu' | 'webgpu' | 'cuda' | 'auto' | undefined;
  /** H: inner steps between two averages; 1 averages gradients. Default 25. */
  syncEvery?: number | undefined;
  /** The outer optimiser. Default `nesterov`. */
  outer?: 'average' | 'nesterov' | undefined;
  /** The rate of `nesterov`. Default 0.7. */
  outerLr?: number | undefined;
  /** The momentum of `nesterov`, from 0 to below 1. Default 0.7. */
  outerMomentum?: number | undefined;
  /** What becomes of AdamW's moments at a round's end. Default `average`. */
  moments?: 'keep' | 'average' | undefined;
  /** The peak learning rate. Default 3e-3 for a million parameters or fewer, falling with the cube root of the size. */
  lr?: number | undefined;
  /** The learning rate at the end. Default a tenth of the peak. */
  minLr?: number | undefined;
  /** Steps of linear warm-up. Default 100, at most a tenth of the run. */
  warmup?: number | undefined;
  /** The decay of matrices. Default 0.1. */
  weightDecay?: number | undefined;
  /** The largest global norm of a gradient; 0 for none. Default 1. */
  clip?: number | undefined;
  /** Sequences of a micro-batch, per replica. Default 12. */
  batchSize?: number | undefined;
  /** Micro-batches of a step, per replica. Default 1. */
  gradAccum?: number | undefined;
  /** Inner steps per replica. Default 2000. */
  steps?: number | undefined;
  /** Tokens to train on, over all replicas. */
  tokens?: number | undefined;
  /** Wall time to train for. */
  minutes?: number | undefined;
  /** Stop when the validation loss falls below this, in nats per token. */
  untilLoss?: number | undefined;
  /** Stop after this many evaluations in a row without a lower validation loss. */
  patience?: number | undefined;
  /** The part of the text that is held out. Default 0.1. */
  validationFraction?: number | undefined;
  /** Steps between two evaluations; one takes place at the end of the round in which it falls. Default 250. */
  evalEvery?: number | undefined;
  /** Steps between two checkpoints, likewise. Default as `evalEvery`. */
  checkpointEvery?: number | undefined;
  /** Checkpoints to keep. Default 2. */
  keep?: number | undefined;
  /** Of everything random. Default 1337. */
  seed?: number | undefined;
  /** Continue the run in its folder. */
  resume?: boolean | undefined;
  /** Take over a lock of another host; train although memory may not suffice. */
  force?: boolean | undefined;
}

/** {@link TrainOptions} as they are checked. */
export const trainOptionsSchema = z.strictObject({
  corpus: z.array(z.string().min(1)).min(1),
  run: z.string().min(1).optional(),
  preset: z.enum(presetNames).optional(),
  model: z.enum(familyNames).optional(),
  objective: z.enum(OBJECTIVES).optional(),
  maskRate: z.number().gt(0).lte(0.5).default(0.15),
  layers: count.optional(),
  width: count.optional(),
  heads: count.optional(),
  kvHeads: count.optional(),
  context: count.optional(),
  tokenizer: z.enum(['chars', 'bytes', 'bpe']).default('bpe'),
  vocab: count.optional(),
  field: z.string().min(1).optional(),
  replicas: z.union([count, z.literal('auto')]).default(1),
  threads: count.optional(),
  device: z.enum(['cpu', 'webgpu', 'cuda', 'auto']).default('auto'),
  syncEvery: count.default(25),
  outer: z.enum(['average', 'nesterov']).default('nesterov'),
  outerLr: rate.default(0.7),
  outerMomentum: z.number().min(0).lt(1).default(0.7),
  moments: z.enum(['keep', 'average']).default('average'),
  lr: rate.optional(),
  minLr: z.number().nonnegative().optional(),
  warmup: whole.optional(),
  weightDecay: z.number().nonnegative().default(0.1),
  clip: z.number().nonnegative().default(1),
  batchSize: count.default(12),
  gradAccum: count.default(1),
  steps: count.optional(),
  tokens: count.optional(),
  minutes: z.number().positive().optional(),
  untilLoss: z.number().positive().optional(),
  patience: count.optional(),
  validationFraction: fraction.default(0.1),
  evalEvery: count.default(250),
  checkpointEvery: count.optional(),
  keep: count.default(2),
  seed: whole.default(1337),
  resume: z.boolean().default(false),
  force: z.boolean().default(false),
});

/** Options with their defaults. */
export type ParsedTrainOptions = z.output<typeof trainOptionsSchema>;

/**
 * Checks options and fills in defaults.
 *
 * @throws UsageError naming every option that is wrong, as the command line spells it, and what is allowed
 */
export function parseTrainOptions(options: TrainOptions): ParsedTrainOptions {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new UsageError(
      `Options must be an object, such as { corpus: ['book.txt'] }; got ${JSON.stringify(options)}.`,
    );
  }
  const result = trainOptionsSchema.safeParse(options, { reportInput: true });
  if (!result.success) {
    throw new UsageError(`Cannot train with these options: ${optionIssues(result.error)}. See meanfield train --help.`);
  }
  const parsed = result.data;
  const limits = (['steps', 'tokens', 'minutes'] as const).filter((name) => parsed[name] !== undefined);
  if (limits.length > 1) {
    throw new UsageError(`Give one of --steps, --tokens and --minutes, not ${limits.map(optionName).join(' and ')}.`);
  }
  return parsed;
}

/** What is learned: as it was named, or what the model can. */
export function objectiveName(o: ParsedTrainOptions): ObjectiveName {
  return o.objective ?? (o.model === 'bert' ? 'masked' : 'causal');
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
    family: o.model ?? (o.objective === 'masked' ? 'bert' : preset.family),
    layers: o.layers ?? preset.layers,
    width: o.width ?? preset.width,
    heads,
    keyValueHeads: o.kvHeads ?? (o.heads ? heads : preset.keyValueHeads),
    context: o.context ?? preset.context,
  };
}

/** Vocabulary to aim at when a BPE tokenizer is trained; undefined where the size of the text decides. */
export function vocabularyGoal(o: ParsedTrainOptions): number | undefined {
  return o.tokenizer === 'bpe' ? (o.vocab ?? findPreset(o.preset ?? 'micro').vocabulary) : undefined;
}

/** The peak learning rate for a model of so many parameters, where none was given. */
export function defaultLearningRate(parameters: number): number {
  return 3e-3 * Math.min(1, Math.cbrt(1e6 / parameters));
}
