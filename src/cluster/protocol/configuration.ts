import { z } from 'zod';
import { FORMATS } from '../../averaging/formats/format.js';
import { objectiveSchema } from '../../objectives/create.js';
import { MERGES, MOMENTS_FORMATS } from '../options.js';
import { blobRef, count, hash, text } from './wire.js';

const positive = z.number().positive();
const share = z.number().min(0).lte(1);

const runSetup = z.strictObject({
  /** The model's `config.json`. */
  model: z.record(z.string(), z.json()),
  /** What is learned. */
  objective: objectiveSchema,
  batchSize: count.min(1),
  gradAccum: count.min(1),
  seed: z.number(),
  optimizer: z.strictObject({
    beta1: share,
    beta2: share,
    epsilon: positive,
    weightDecay: z.number().nonnegative(),
    clip: z.number().nonnegative(),
  }),
  schedule: z.strictObject({
    peak: positive,
    final: z.number().nonnegative(),
    warmup: count,
    steps: count.min(1),
  }),
  outer: z.strictObject({
    method: z.enum(['average', 'nesterov']),
    learningRate: positive,
    momentum: share,
  }),
  averageMoments: z.boolean(),
  cluster: z.strictObject({
    format: z.enum(FORMATS),
    momentsFormat: z.enum(MOMENTS_FORMATS),
    merge: z.enum(MERGES),
    fragments: count.min(1).max(64),
    overlap: count,
    mixing: share,
  }),
});

/** Everything that a machine needs to take part, but for the parameters: published once by the coordinator. */
export const configurationSchema = z.strictObject({
  /** The run's id. */
  run: text,
  version: text,
  setup: runSetup,
  /** Of the model's parameters. */
  layoutHash: hash,
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
