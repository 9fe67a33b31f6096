import { createRequire } from 'node:module';
import { z } from 'zod';
import packageJson from '../../package.json' with { type: 'json' };
import { OUTERS } from '../averaging/choices.js';
import { MeanfieldError, UsageError } from '../base/errors.js';
import { firstIssue } from '../base/first-issue.js';
import type { JsonValue } from '../base/json.js';
import { spelledError } from '../base/spelling.js';
import { NODE_DEVICES } from '../engine/node/device-names.js';
import { objectiveSchema } from '../objectives/create.js';
import { MOMENTS_PRECISIONS, OFFLOADS, SCHEDULES } from '../training/optimizers.js';
import { PRECISIONS } from '../training/precision-names.js';
import { DEFAULT_STEPS, planSteps } from './limits.js';
import { TRAIN_OPTIONS, type TrainOption } from './option-table.js';
import {
  isOwn,
  modelShape,
  type OwnTrainOptions,
  type ParsedTrainOptions,
  parseTrainOptions,
  type TrainOptions,
} from './options.js';

const count = z.int().nonnegative();
const scheduleSchema = z.strictObject({
  shape: z.enum(SCHEDULES).optional(),
  peak: z.number(),
  final: z.number(),
  warmup: count,
  steps: count.min(1),
  seconds: z.number().positive().optional(),
});

/** What was chosen for a run, as soon as it is known; a resumed run takes it over. */
const chosenSchema = z.strictObject({
  device: z.enum(NODE_DEVICES).optional(),
  data: z
    .strictObject({
      /** Equal fingerprints mean equal samples. */
      fingerprint: z.string(),
      // Of a text.
      documents: count.optional(),
      bytes: count.optional(),
      train_tokens: count.optional(),
      validation_tokens: count.optional(),
      vocabulary: count.optional(),
      // Of a model of one's own.
      train_samples: count.optional(),
      validation_samples: count.optional(),
    })
    .optional(),
  /** Of text from code: only its tokens are kept. */
  text: z.literal('code').optional(),
  /** Of a model of one's own: where its code lay, and the hash of that file. */
  module: z.strictObject({ url: z.string(), sha256: z.string() }).optional(),
  /**
   * The model that the run started from, as it was named, and the sha256 of its vector of parameters; of what its files were,
   * where their tensors were read one by one.
   */
  from: z
    .strictObject({
      model: z.string(),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      streamed: z.literal(true).optional(),
    })
    .optional(),
  /** The tokens that were added to it. */
  added: z.strictObject({ first: count, count: count.min(1) }).optional(),
  /** The model's `config.json`. */
  model: z.record(z.string(), z.json()).optional(),
  parameters: count.optional(),
  /** Of the parameters, those that stay as they are, and the sha256 of the file that holds them. */
  frozen: z.strictObject({ parameters: count, sha256: z.string().regex(/^[0-9a-f]{64}$/) }).optional(),
  /** The model whose probabilities are learned: as it was named, its sizes, and the sha256 of the file that holds it. */
  teacher: z
    .strictObject({
      model: z.string(),
      parameters: count,
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      config: z.record(z.string(), z.json()),
    })
    .optional(),
  /** What is learned; runs of earlier versions learn the next token. */
  objective: objectiveSchema.optional(),
  /** What products of linear layers are computed in, as the machine allowed; runs of earlier versions have fp32. */
  precision: z.enum(PRECISIONS).optional(),
  replicas: count.min(1).optional(),
  threads: count.min(1).optional(),
  /** What `memory` had put on disk, and whether activations that are cheap to make are made twice. */
  offload: z.enum(OFFLOADS).optional(),
  recompute: z.boolean().optional(),
  /** In what `memory` has moments kept. */
  momentsPrecision: z.enum(MOMENTS_PRECISIONS).optional(),
  /** What `--replicas auto` measured. */
  measured: z.array(z.strictObject({ replicas: count, threads: count, tokens_per_second: z.number() })).optional(),
  optimizer: z
    .strictObject({
      beta1: z.number(),
      beta2: z.number(),
      epsilon: z.number(),
      weightDecay: z.number(),
      clip: z.number(),
      /** Of the trained vector, from its beginning to its end: so many elements at so much of the rate. */
      rateRanges: z.array(z.strictObject({ elements: count.min(1), factor: z.number().positive() })).optional(),
      /** The matrices that Muon trains; where they begin in the trained vector. */
      muon: z
        .strictObject({
          momentum: z.number(),
          matrices: z.array(z.strictObject({ start: count, rows: count.min(1), columns: count.min(1) })),
        })
        .optional(),
      /** How moments are kept in few bits, and the seed by which they are rounded. */
      moments: z.strictObject({ precision: z.enum(MOMENTS_PRECISIONS).exclude(['fp32']), seed: z.int() }).optional(),
    })
    .optional(),
  /** How replicas on threads are averaged; runs of earlier versions have it among their options. */
  averaging: z.strictObject({ outer: z.enum(OUTERS), sync_every: count.min(1) }).optional(),
  /** The learning rate; `steps` are those over which it falls. */
  schedule: scheduleSchema.optional(),
  /** Those that a run had until it was made longer: each up to, not including, a step. */
  earlier: z.array(z.strictObject({ until: count, schedule: scheduleSchema })).optional(),
  /** Of a run between machines: its id in the message system, and its options. */
  cluster: z.record(z.string(), z.json()).optional(),
});

/** `run.json`. */
export const runRecordSchema = z.strictObject({
  format: z.literal('meanfield-run'),
  version: z.literal(1),
  versions: z.strictObject({ meanfield: z.string(), onnxruntime: z.string(), node: z.string() }),
  /** As given, with defaults; without the folder's name and without what matters for one process only. */
  options: z.record(z.string(), z.json()),
  chosen: chosenSchema,
});

/** What a run is: the content of its `run.json`. */
export type RunRecord = z.infer<typeof runRecordSchema>;
/** What was chosen for a run. */
export type Chosen = z.infer<typeof chosenSchema>;

const named = Object.entries(TRAIN_OPTIONS) as [keyof typeof TRAIN_OPTIONS, TrainOption][];
const NOT_STORED = named.flatMap(([name, { stored }]) => (stored === false ? [name] : []));
/** Of the corpus its content counts, not how its path is spelled. */
const FREE_OPTIONS = ['corpus', ...named.flatMap(([name, { resume }]) => (resume === 'free' ? [name] : []))];

type Furthering = {
  [K in keyof typeof TRAIN_OPTIONS]: (typeof TRAIN_OPTIONS)[K] extends { resume: 'further' } ? K : never;
}[keyof typeof TRAIN_OPTIONS];

/** Whether a run goes further by another value than it was started with. */
const LENGTHS: Readonly<Record<Furthering, (was: unknown, is: unknown) => boolean>> = {
  steps: (was, is) => is !== undefined && Number(is) > Number(was),
  tokens: (was, is) => was !== undefined && Number(is) > Number(was),
  minutes: (was, is) => was !== undefined && Number(is) > Number(was),
  patience: (was, is) => was === undefined || Number(is) > Number(was),
};

/** The record of a new run. */
export function newRecord(options: ParsedTrainOptions): RunRecord {
  // Which module it is stands with what was chosen; such a run has no corpus.
  const { module, corpus, ...every } = options;
  // The model that it starts from, or learns from, has its own tokenizer.
  const { tokenizer, ...fewer } = every;
  const others = every.from === undefined && every.teacher === undefined ? every : fewer;
  const all = module === undefined ? { corpus, ...others } : others;
  const kept = Object.fromEntries(Object.entries(all).filter(([name]) => !(NOT_STORED as string[]).includes(name)));
  return {
    format: 'meanfield-run',
    version: 1,
    versions: currentVersions(),
    options: JSON.parse(JSON.stringify(kept)),
    chosen: {},
  };
}

/** What to write: without the keys that are not known yet. */
export function recordJson(record: RunRecord): JsonValue {
  return JSON.parse(JSON.stringify(record));
}

/**
 * Reads the content of a `run.json`.
 *
 * @throws MeanfieldError when it is not one
 */
export function parseRecord(content: JsonValue, path: string): RunRecord {
  const parsed = runRecordSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new MeanfieldError(`${path} is not the record of a run: ${firstIssue(parsed.error)}. Restore it from a copy.`);
}

/**
 * The options of a resumed run: those that are given must be the run's own; the others are taken from it.
 *
 * @throws UsageError that lists the differences
 */
export function resumedOptions(given: TrainOptions | OwnTrainOptions, record: RunRecord): ParsedTrainOptions {
  // The module was checked before (see own-module.ts).
  const model = isOwn(given) ? { model: given.model } : {};
  const stored = { ...record.options, ...model } as unknown as TrainOptions;
  const set = Object.entries(given).filter(
    ([key, value]) =>
      value !== undefined &&
      !['text', 'signal'].includes(key) &&
      !(key === 'corpus' && Array.isArray(value) && value.length === 0),
  );
  const parsed = parseTrainOptions({ ...stored, ...Object.fromEntries(set) });
  const before = parseTrainOptions(stored);
  const differences = Object.keys({ ...before, ...parsed })
    .filter((key) => !FREE_OPTIONS.includes(key))
    .filter((key) => !goesFurther(before, parsed, key, record))
    .map((key) => [key, show(before, key), show(parsed, key)] as const)
    .filter(([, was, is]) => was !== is);
  if (differences.length > 0) {
    throw spelledError(UsageError, ({ option }) => {
      const list = differences.map(([key, was, is]) => `${option(key)} was ${was}, now ${is}`);
      return (
        `${given.run} was started with other options: ${list.join('; ')}. Resume it with its own (leave these out), ` +
        `or start a new run. ${option('steps')}, ${option('tokens')} or ${option('minutes')}, whichever it was started ` +
        `with, and ${option('patience')} may be larger, and ${option('untilLoss')} another.`
      );
    });
  }
  return parsed;
}

function goesFurther(before: ParsedTrainOptions, now: ParsedTrainOptions, key: string, record: RunRecord): boolean {
  // A length of another kind is another schedule.
  if (key === 'steps' && (before.tokens !== undefined || before.minutes !== undefined)) return false;
  const name = key as keyof ParsedTrainOptions;
  return (
    Object.hasOwn(LENGTHS, key) && LENGTHS[key as Furthering](before[name] ?? defaultLength(record, key), now[name])
  );
}

/** A run of which no length was given has steps all the same. */
function defaultLength({ chosen }: RunRecord, key: string): number | undefined {
  return key === 'steps' ? (chosen.schedule?.steps ?? DEFAULT_STEPS) : undefined;
}

/**
 * The record of a run whose options may let it go further than when it was started. Between machines its schedule is
 * that of the new length; on one machine `arrangeRun` sees to that, which knows the step.
 */
export function furtherRecord(record: RunRecord, options: ParsedTrainOptions): RunRecord {
  const { schedule, cluster } = record.chosen;
  const further = { ...record, options: newRecord(options).options };
  const { steps: given, tokens, minutes } = options;
  if (cluster === undefined || schedule === undefined) return further;
  if ((given ?? tokens ?? minutes) === undefined) return further;
  const members = (cluster.options as { minWorkers?: number } | undefined)?.minWorkers ?? 1;
  const tokensPerStep = members * options.batchSize * options.gradAccum * modelShape(options).context;
  const { schedule: steps } = planSteps(options, tokensPerStep);
  return { ...further, chosen: { ...record.chosen, schedule: { ...schedule, steps } } };
}

/** Notices about what is no longer as when the run was started, though it may go on. */
export function versionNotices(record: RunRecord): string[] {
  const now = currentVersions();
  const changed = (Object.keys(now) as (keyof typeof now)[]).filter((name) => now[name] !== record.versions[name]);
  if (changed.length === 0) return [];
  const list = changed.map((name) => `${name} ${record.versions[name]}, now ${now[name]}`).join('; ');
  return [`The run was started with ${list}: its numbers may differ from here on in their last digits.`];
}

function show(options: ParsedTrainOptions, key: string): string {
  return JSON.stringify(options[key as keyof ParsedTrainOptions]) ?? 'not given';
}

function currentVersions() {
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string };
  return { meanfield: packageJson.version, onnxruntime: version, node: process.versions.node };
}
