import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { MeanfieldError, UsageError } from '../base/errors.js';
import { exists } from '../base/files/exists.js';
import { Random } from '../base/random.js';
import { spelledError } from '../base/spelling.js';
import {
  corpusNotices,
  type Dataset,
  loadTokenizer,
  OtherTextError,
  openDataset,
  prepareDataset,
  requireWindow,
  validationWindows,
} from '../data/index.js';
import type { AdapterContent } from '../hub/peft.js';
import { Model } from '../model/model.js';
import { findPreset } from '../model/presets.js';
import { createObjective, type TextObjectiveConfig, windowTokens } from '../objectives/create.js';
import { writeBestModel } from './best-model.js';
import type { TrainEvent } from './events.js';
import { checkFrozen, type FrozenPart, readFrozen, writeFrozen } from './frozen-part.js';
import { textFile, writeGivenText } from './given-text.js';
import type { OpenRun } from './open-run.js';
import { modelShape, objectiveName, objectiveOf, type ParsedTrainOptions, partsOf, vocabularyGoal } from './options.js';
import { keepSource, keptSource, readSource } from './source.js';
import type { PreparedRun } from './task.js';

/** How often the preparation tells how far it is, in milliseconds. */
const TELL_EVERY = 200;

/** A run's text and the model for it. */
export interface PreparedText extends PreparedRun {
  readonly dataset: Dataset;
  /** The data set's folder, which the replicas read. */
  readonly tokens: string;
  readonly model: Model;
  /** What is learned. */
  readonly objective: TextObjectiveConfig;
}

/**
 * Turns the corpus into tokens in the run's folder, or finds them there, and makes the model for them.
 *
 * @param signal ends it while the text is read or turned into tokens
 * @throws MeanfieldError when the text cannot be used or is too short, or on resuming has changed
 * @throws StoppedEarly when the signal came first
 */
export async function prepareText(
  run: OpenRun,
  emit: (event: TrainEvent) => void,
  signal?: AbortSignal,
): Promise<PreparedText> {
  const { options } = run;
  if (objectiveName(options) === 'chat')
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${option('objective', 'chat')} learns on one machine alone, by train. Between machines use ${option('objective', 'causal')}.`,
    );
  const tokens = join(run.paths.folder, 'tokens');
  if (run.source !== undefined) {
    await keepSource(run.paths.from, run.source);
    for (const message of run.source.notices) emit({ type: 'notice', message });
  }
  const dataset = await tokensOf(run, tokens, emit, signal).catch((error: unknown) => {
    if (signal?.aborted && (error as Error | undefined)?.name === 'AbortError') throw new StoppedEarly();
    if (error instanceof OtherTextError) throw otherText(run, tokens, error);
    throw error;
  });
  const whole = run.chosen.model
    ? Model.fromConfig(run.chosen.model)
    : (run.source?.model ?? newModel(options, dataset));
  const model = whole.partly(partsOf(options));
  const objective =
    (run.chosen.objective as TextObjectiveConfig | undefined) ??
    objectiveOf(options, dataset.tokenizer, run.source?.model.config as object | undefined);
  const context = windowTokens(objective, modelShape(options).context);
  requireWindow(dataset.train, context);
  const windows = validationWindows(dataset.validation, context);
  const learned = createObjective(objective, { model, context, seed: options.seed });
  const start = startOf(run, model);
  const frozen = await frozenPart(run, model, start);
  const { documents, bytes } = dataset.statistics;
  await run.choose({
    data: {
      fingerprint: dataset.fingerprint,
      documents,
      bytes,
      train_tokens: dataset.train.length,
      validation_tokens: dataset.validation.length,
      vocabulary: dataset.tokenizer.vocabularySize,
    },
    model: JSON.parse(JSON.stringify(model.config)),
    parameters: model.trained.size + model.frozen.size,
    ...(frozen && { frozen: { parameters: model.frozen.size, sha256: frozen.sha256 } }),
    objective,
  });
  return {
    ...{ dataset, tokens, model, frozen, objective, learned },
    task: { kind: 'text', tokens, model: model.config, ...(frozen && { frozen }), objective, context },
    parameters: model.trained.size + model.frozen.size,
    fingerprint: dataset.fingerprint,
    validation: windows,
    sizes: {
      vocabulary: dataset.tokenizer.vocabularySize,
      trainTokens: dataset.train.length,
      validationTokens: dataset.validation.length,
    },
    bytesPerToken: bytesPerToken(dataset, windows, context),
    initial: async () => (await start()).trained,
    writeModel: async (folder, trained) => {
      const weights = await weightsOf(run, model, trained, frozen);
      await writeBestModel(folder, model, dataset.tokenizer, weights, await keptSource(run.paths.from));
    },
  };
}

function otherText(run: OpenRun, tokens: string, cause: OtherTextError): MeanfieldError {
  const { corpus } = run.options;
  const what = `The text in ${corpus.join(', ')} is not what the run was started with`;
  if (run.namesCorpusAnew) {
    return new UsageError(`${what}. Leave it out to resume with the run's own, or start a new run.`, { cause });
  }
  const message = `${what}, and its tokens in ${tokens} are damaged or gone. Restore the text, or start a new run.`;
  return new MeanfieldError(message, { cause });
}

/** A run was told to stop while its text was read: there is nothing to save yet. */
export class StoppedEarly extends MeanfieldError {
  override name = 'StoppedEarly';
  override readonly exitCode = 130;

  constructor() {
    super('Stopped while the text was read, before the first step: there was nothing to save.');
  }
}

/** What a run's `model/` holds: all parameters, or the adapter. */
export async function weightsOf(
  { options }: OpenRun,
  model: Model,
  trained: Float32Array,
  frozen: FrozenPart | undefined,
): Promise<Float32Array | AdapterContent> {
  const { adapter } = partsOf(options);
  if (adapter) {
    const from = options.from!;
    // A name of the hub stays one.
    return { model, trained, settings: adapter, base: (await exists(from)) ? resolve(from) : from };
  }
  return model.join(trained, await readFrozen(frozen, model.frozen));
}

/** Stores the frozen parameters in the run's folder, or finds them there as they were. */
export async function frozenPart(
  { options, chosen, paths }: OpenRun,
  model: Model,
  start: StartVectors,
): Promise<FrozenPart | undefined> {
  const parts = partsOf(options);
  if (model.frozen.size === 0) return undefined;
  const path = paths.frozen;
  if (chosen.frozen === undefined) {
    const { frozen } = await start();
    return { ...parts, path, sha256: await writeFrozen(path, model.frozen, frozen) };
  }
  const part = { ...parts, path, sha256: chosen.frozen.sha256 };
  await checkFrozen(part);
  return part;
}

/** The trained and the frozen parameters that a run begins with, anew each time. */
type StartVectors = () => Promise<{ readonly trained: Float32Array; readonly frozen: Float32Array }>;

/** Those of the model that it starts from, or random ones. */
export function startOf(run: OpenRun, model: Model): StartVectors {
  const { from, seed } = run.options;
  if (from === undefined) return async () => initialVectors(model, seed);
  return async () => {
    const { parameters, sha256 } = await readSource(from, run.options, run.chosen.from?.sha256);
    if (run.chosen.from === undefined) await run.choose({ from: { model: from, sha256 } });
    return model.initialize(new Random(seed, 'parameters'), parameters);
  };
}

/** The trained parameters that a new model begins with: the same for the same seed, whatever is frozen. */
export function initialParameters(model: Model, seed: number): Float32Array {
  return initialVectors(model, seed).trained;
}

function initialVectors(model: Model, seed: number) {
  return model.initialize(new Random(seed, 'parameters'));
}

/** Of the very tokens that an evaluation predicts. */
function bytesPerToken({ validation, tokenizer }: Dataset, windows: readonly number[], context: number): number {
  const ids = new Int32Array(context + 1);
  let bytes = 0;
  for (const start of windows) {
    validation.read(start, context + 1, ids, 0);
    bytes += tokenizer.decodeBytes(ids.subarray(1)).length;
  }
  return bytes / (windows.length * context);
}

async function tokensOf(
  run: OpenRun,
  folder: string,
  emit: (event: TrainEvent) => void,
  signal: AbortSignal | undefined,
): Promise<Dataset> {
  const { options, chosen } = run;
  const known = chosen.data?.fingerprint;
  // The run's own tokens serve although the corpus may be gone, or another by now; one that is named anew must be it.
  const own = known === undefined || run.namesCorpusAnew ? undefined : await soundDataset(folder, signal);
  if (own?.fingerprint === known && own) return own;
  const written = textFile(run.paths.folder);
  if (run.text !== undefined) await writeGivenText(written, run.text, signal);
  else if (options.corpus[0] === written && !(await exists(written))) throw textGone(run.paths.folder);
  let told = 0;
  const dataset = await prepareDataset({
    paths: options.corpus,
    field: options.field,
    folder,
    except: [run.paths.folder],
    expected: known,
    signal,
    tokenizer: options.from === undefined ? options.tokenizer : await loadTokenizer(run.paths.from),
    vocabularySize: options.from === undefined ? vocabularyGoal(options) : undefined,
    mask: objectiveName(options) === 'masked',
    sentinels: objectiveName(options) === 'seq2seq',
    validationFraction: options.validationFraction,
    onProgress: ({ phase, done, total }) => {
      if (performance.now() - told < TELL_EVERY) return;
      told = performance.now();
      emit({ type: 'preparing', stage: phase, ...(total > 0 && { fraction: done / total }) });
    },
  });
  for (const message of notices(options, dataset)) emit({ type: 'notice', message });
  // Its tokens serve from now on.
  if (options.corpus[0] === written) await rm(written, { force: true });
  return dataset;
}

function textGone(folder: string): UsageError {
  return new UsageError(
    `${folder} was started with text from code, of which it keeps the tokens alone, and they are damaged or gone. Give ` +
      'the same `text` again to resume it, or start a new run.',
  );
}

async function soundDataset(folder: string, signal: AbortSignal | undefined): Promise<Dataset | undefined> {
  try {
    const dataset = await openDataset(folder);
    await dataset.train.verify(signal);
    await dataset.validation.verify(signal);
    return dataset;
  } catch (error) {
    if (error instanceof MeanfieldError) return undefined;
    throw error;
  }
}

function* notices(options: ParsedTrainOptions, { statistics, tokenizer }: Dataset): Generator<string> {
  yield* corpusNotices(statistics);
  if (options.vocab !== undefined && options.tokenizer !== 'bpe') {
    yield `The ${options.vocab} entries asked for (vocab) are ignored: the ${options.tokenizer} tokenizer has ${tokenizer.vocabularySize} entries.`;
  }
}

/** The vocabulary is the tokenizer's, unless the model is a published one with more entries. */
function newModel(options: ParsedTrainOptions, { tokenizer }: Dataset): Model {
  const { family, ...sizes } = modelShape(options);
  const published = options.vocab === undefined && options.preset ? (findPreset(options.preset).vocabulary ?? 0) : 0;
  return Model.create(family, { ...sizes, vocabulary: Math.max(published, tokenizer.vocabularySize) });
}
