import { createRequire } from 'node:module';
import { z } from 'zod';
import packageJson from '../../package.json' with { type: 'json' };
import { MeanfieldError, UsageError } from '../base/errors.js';
import type { JsonValue } from '../base/json.js';
import { optionName } from '../base/option-issues.js';
import { modelShape, type ParsedTrainOptions, parseTrainOptions, type TrainOptions } from '../training/config.js';
import { planSteps } from './limits.js';

const count = z.int().nonnegative();

/** What was chosen for a run, as soon as it is known; a resumed run takes it over. */
const chosenSchema = z.strictObject({
  device: z.enum(['cpu', 'webgpu', 'cuda']).optional(),
  data: z
    .strictObject({
      /** Equal fingerprints mean equal tokens. */
      fingerprint: z.string(),
      documents: count,
      bytes: count,
      train_tokens: count,
      validation_tokens: count,
      vocabulary: count,
    })
    .optional(),
  /** The model's `config.json`. */
  model: z.record(z.string(), z.json()).optional(),
  parameters: count.optional(),
  replicas: count.min(1).optional(),
  threads: count.min(1).optional(),
  /** What `--replicas auto` measured. */
  measured: z.array(z.strictObject({ replicas: count, threads: count, tokens_per_second: z.number() })).optional(),
  optimizer: z
    .strictObject({
      beta1: z.number(),
      beta2: z.number(),
      epsilon: z.number(),
      weightDecay: z.number(),
      clip: z.number(),
    })
    .optional(),
  /** The learning rate; `steps` are those over which it falls. */
  schedule: z.strictObject({ peak: z.number(), final: z.number(), warmup: count, steps: count.min(1) }).optional(),
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

/** Options that may differ when a run is resumed: they change nothing of what it computes. */
const FREE_OPTIONS = ['run', 'resume', 'force', 'keep', 'untilLoss'];

/** The record of a new run. */
export function newRecord(options: ParsedTrainOptions): RunRecord {
  const { run: _run, resume: _resume, force: _force, ...kept } = options;
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
  const problem = z.prettifyError(parsed.error).split('\n').slice(0, 2).join(' ');
  throw new MeanfieldError(`${path} is not the record of a run: ${problem}. Restore it from a copy.`);
}

/** Limits of a run's length; a resumed run may get a larger one of the same kind. */
const LIMITS = ['steps', 'tokens', 'minutes'] as const;

/**
 * The options of a resumed run: those that are given must be the run's own, but that the run may be made longer; the
 * others are taken from it.
 *
 * @returns the record as well, which knows the longer schedule where there is one
 * @throws UsageError that lists the differences
 */
export function resumedOptions(
  given: TrainOptions,
  record: RunRecord,
): { readonly options: ParsedTrainOptions; readonly record: RunRecord } {
  const stored = record.options as unknown as TrainOptions;
  const set = Object.entries(given).filter(
    ([key, value]) => value !== undefined && !(key === 'corpus' && Array.isArray(value) && value.length === 0),
  );
  const before = parseTrainOptions(stored);
  const wanted = parseTrainOptions({ ...stored, ...Object.fromEntries(set) });
  const longer = lengthened(before, wanted, record);
  const free = longer === undefined ? FREE_OPTIONS : [...FREE_OPTIONS, ...LIMITS];
  const differences = Object.keys({ ...before, ...wanted })
    .filter((key) => !free.includes(key))
    .map((key) => [key, show(before, key), show(wanted, key)] as const)
    .filter(([, was, is]) => was !== is)
    .map(([key, was, is]) => `${key === 'corpus' ? 'corpus' : optionName(key)} was ${was}, now ${is}`);
  if (differences.length > 0) {
    throw new UsageError(
      `${given.run} was started with other options: ${differences.join('; ')}. ` +
        'Resume it with its own (leave these out), or start a new run. --steps, --tokens or --minutes, whichever it ' +
        'was started with, may be larger, and --until-loss another.',
    );
  }
  const { untilLoss } = wanted;
  if (untilLoss === before.untilLoss) return { options: wanted, record: longer ?? record };
  const known = longer ?? record;
  return { options: wanted, record: { ...known, options: { ...known.options, untilLoss: untilLoss! } } };
}

/** The record of a run that goes on for longer than it was started for; undefined where it does not. */
function lengthened(before: ParsedTrainOptions, wanted: ParsedTrainOptions, record: RunRecord): RunRecord | undefined {
  const kind = LIMITS.find((name) => wanted[name] !== undefined);
  const { schedule, replicas, cluster } = record.chosen;
  if (kind === undefined || LIMITS.some((name) => name !== kind && before[name] !== undefined)) return undefined;
  // Without a limit of its own a run has the default's steps.
  const was = before[kind] ?? (kind === 'steps' ? (schedule?.steps ?? planSteps(before, 1).schedule) : undefined);
  if (was === undefined || !(wanted[kind]! > was)) return undefined;
  const options = { ...record.options, [kind]: wanted[kind]! };
  if (schedule === undefined) return { ...record, options };
  const members = replicas ?? (cluster?.options as { minWorkers?: number } | undefined)?.minWorkers ?? 1;
  const tokensPerStep = members * wanted.batchSize * wanted.gradAccum * modelShape(wanted).context;
  // Time is no number of steps: as many more are thought to fit. Between machines their number never meant anything.
  const minutes = cluster === undefined ? Math.round((schedule.steps * wanted[kind]!) / was) : schedule.steps;
  const steps = kind === 'minutes' ? minutes : planSteps(wanted, tokensPerStep).schedule;
  return { ...record, options, chosen: { ...record.chosen, schedule: { ...schedule, steps } } };
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
