import { z } from 'zod';
import { valueSchema } from '../../base/option-schema.js';
import { objectiveSchema } from '../../objectives/create.js';
import { TRAIN_OPTIONS } from '../../run/option-table.js';
import { SCHEDULES } from '../../training/optimizers.js';
import { EXCHANGE_OPTIONS } from '../option-table.js';
import { blobRef, count, hash, text } from './wire.js';

const positive = z.number().positive();
/** Characters of all patterns together: they are tried on every name. */
const MOST_PATTERNS = 10_000;
/** Of an adapter's matrices: more would be a model of its own. */
const MOST_RANK = 4096;
/** Of a vector's ranges with rates of their own: a model has no more parameters by name. */
const MOST_RATE_RANGES = 100_000;
const share = z.number().min(0).lte(1);

function patterns(
  option: typeof TRAIN_OPTIONS.freeze | typeof TRAIN_OPTIONS.targets | typeof TRAIN_OPTIONS.modulesToSave,
) {
  return valueSchema(option).refine((all) => all.join().length <= MOST_PATTERNS, {
    error: `at most ${MOST_PATTERNS} characters`,
  });
}

const runSetup = z.strictObject({
  /** The model's `config.json`. */
  model: z.record(z.string(), z.json()),
  /** Which of its parameters stay as they are; missing where all are trained. */
  freeze: patterns(TRAIN_OPTIONS.freeze).optional(),
  /** What is trained beside all of it; missing where the model itself is trained. */
  adapter: z
    .strictObject({
      rank: count.min(1).max(MOST_RANK),
      alpha: positive,
      rankStabilized: z.boolean().optional(),
      targets: patterns(TRAIN_OPTIONS.targets).optional(),
      modulesToSave: patterns(TRAIN_OPTIONS.modulesToSave).optional(),
      /** Tokens whose rows are trained as well. */
      tokens: z.strictObject({ first: count, count: count.min(1) }).optional(),
    })
    .optional(),
  /** How the matrices beside it are kept in memory; missing where in float32. */
  baseDtype: valueSchema(TRAIN_OPTIONS.baseDtype).optional(),
  /** The share of activations that a step drops; missing where none are. */
  dropout: valueSchema(TRAIN_OPTIONS.dropout).optional(),
  /** What products of linear layers are computed in, where a machine can; missing where in float32. */
  precision: valueSchema(TRAIN_OPTIONS.precision).optional(),
  /** What is learned. */
  objective: objectiveSchema,
  /** Tokens of a window, where they are fewer than the model can see. */
  context: count.min(1).optional(),
  batchSize: valueSchema(TRAIN_OPTIONS.batchSize),
  gradAccum: valueSchema(TRAIN_OPTIONS.gradAccum),
  seed: z.number(),
  optimizer: z.strictObject({
    beta1: share,
    beta2: share,
    epsilon: positive,
    weightDecay: valueSchema(TRAIN_OPTIONS.weightDecay),
    clip: valueSchema(TRAIN_OPTIONS.clip),
    /** Of the trained vector, from its beginning to its end: so many elements at so much of the rate. */
    rateRanges: z
      .array(z.strictObject({ elements: count.min(1), factor: positive }))
      .max(MOST_RATE_RANGES)
      .optional(),
    /** The matrices that Muon trains. */
    muon: z
      .strictObject({
        momentum: share,
        matrices: z
          .array(z.strictObject({ start: count, rows: count.min(1), columns: count.min(1) }))
          .max(MOST_RATE_RANGES),
      })
      .optional(),
  }),
  schedule: z.strictObject({
    shape: z.enum(SCHEDULES).optional(),
    peak: positive,
    final: z.number().nonnegative(),
    warmup: count,
    steps: count.min(1),
  }),
  outer: z.strictObject({
    method: valueSchema(TRAIN_OPTIONS.outer),
    learningRate: valueSchema(TRAIN_OPTIONS.outerLr),
    momentum: valueSchema(TRAIN_OPTIONS.outerMomentum),
  }),
  averageMoments: z.boolean(),
  cluster: z.strictObject({
    format: valueSchema(EXCHANGE_OPTIONS.format),
    momentsFormat: valueSchema(EXCHANGE_OPTIONS.momentsFormat),
    merge: valueSchema(EXCHANGE_OPTIONS.merge),
    fragments: valueSchema(EXCHANGE_OPTIONS.fragments),
    overlap: valueSchema(EXCHANGE_OPTIONS.overlap),
    mixing: valueSchema(EXCHANGE_OPTIONS.mixing),
  }),
});

/** Everything that a machine needs to take part, but for the parameters: published once by the coordinator. */
export const configurationSchema = z.strictObject({
  /** The run's id. */
  run: text,
  version: text,
  setup: runSetup,
  /** Of the model's trained parameters. */
  layoutHash: hash,
  /** The file of its frozen parameters, as the parts that a list names; missing where all are trained. */
  frozen: z.strictObject({ bytes: count, sha256: hash, list: blobRef }).optional(),
  /** Of the tokens: equal fingerprints mean equal tokens and the same tokenizer. */
  fingerprint: hash,
  heartbeatSeconds: positive,
  data: z.strictObject({
    /** Where the files are when they are not blobs. */
    source: z.union([z.literal('send'), z.strictObject({ path: text }), z.strictObject({ http: text })]),
    files: z
      .array(
        z.strictObject({
          name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/),
          bytes: count,
          sha256: hash,
          /** Whether workers need it, or only a coordinator on another machine. */
          training: z.boolean(),
          blob: blobRef.optional(),
        }),
      )
      .min(1),
  }),
  /** The content of the coordinator's `run.json`, by which another machine can carry on. */
  record: z.json(),
});

/** What is the same on every machine of a run. */
export type RunSetup = z.output<typeof runSetup>;
export type Configuration = z.output<typeof configurationSchema>;
