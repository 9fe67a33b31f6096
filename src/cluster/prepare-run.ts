import { join } from 'node:path';
import { MeanfieldError } from '../base/errors.js';
import { Random } from '../base/random.js';
import { type Dataset, openDataset, prepareDataset, requireWindow, validationWindows } from '../data/index.js';
import { Model } from '../model/model.js';
import { findPreset } from '../model/presets.js';
import { modelShape, type ParsedTrainOptions, vocabularyGoal } from '../training/config.js';
import type { TrainEvent } from './events.js';
import type { OpenRun } from './open-run.js';

/** How often the preparation tells how far it is, in milliseconds. */
const TELL_EVERY = 200;

/** A run's data and model. */
export interface PreparedRun {
  readonly dataset: Dataset;
  /** The data set's folder, which the replicas read. */
  readonly tokens: string;
  /** Where the validation windows start. */
  readonly windows: readonly number[];
  readonly model: Model;
}

/**
 * Turns the corpus into tokens in the run's folder, or finds them there, and makes the model for them.
 *
 * @throws MeanfieldError when the text cannot be used or is too short, or on resuming has changed
 */
export async function prepareRun(run: OpenRun, emit: (event: TrainEvent) => void): Promise<PreparedRun> {
  const { options } = run;
  const tokens = join(run.paths.folder, 'tokens');
  const dataset = await tokensOf(run, tokens, emit);
  const { context } = modelShape(options);
  requireWindow(dataset.train, context);
  const windows = validationWindows(dataset.validation, context);
  const model = run.chosen.model ? Model.fromConfig(run.chosen.model) : newModel(options, dataset);
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
    parameters: model.layout.size,
  });
  return { dataset, tokens, windows, model };
}

/** The initial parameters of a run: the same for the same seed. */
export function initialParameters(model: Model, seed: number): Float32Array {
  return model.layout.initialize(new Random(seed, 'parameters'));
}

async function tokensOf(run: OpenRun, folder: string, emit: (event: TrainEvent) => void): Promise<Dataset> {
  const { options, chosen } = run;
  const known = chosen.data?.fingerprint;
  // The run's own tokens serve although the corpus may be gone, or another by now.
  const own = known === undefined ? undefined : await soundDataset(folder);
  if (own?.fingerprint === known && own) return own;
  let told = 0;
  const dataset = await prepareDataset({
    paths: options.corpus,
    field: options.field,
    folder,
    tokenizer: options.tokenizer,
    vocabularySize: options.tokenizer === 'bpe' ? vocabularyGoal(options) : undefined,
    validationFraction: options.validationFraction,
    onProgress: ({ phase, done, total }) => {
      if (performance.now() - told < TELL_EVERY) return;
      told = performance.now();
      emit({ type: 'preparing', stage: phase, ...(total > 0 && { fraction: done / total }) });
    },
  });
  if (known !== undefined && dataset.fingerprint !== known) {
    throw new MeanfieldError(
      `The text in ${options.corpus.join(', ')} is not what the run was started with, and its tokens in ${folder} are ` +
        'damaged or gone. Restore the text, or start a new run.',
    );
  }
  for (const message of notices(options, dataset)) emit({ type: 'notice', message });
  return dataset;
}

async function soundDataset(folder: string): Promise<Dataset | undefined> {
  try {
    const dataset = await openDataset(folder);
    await dataset.train.verify();
    await dataset.validation.verify();
    return dataset;
  } catch (error) {
    if (error instanceof MeanfieldError) return undefined;
    throw error;
  }
}

function* notices(options: ParsedTrainOptions, { statistics, tokenizer }: Dataset): Generator<string> {
  const { skippedBinary, skippedBinaryFiles, skippedOther, skippedLinks, skippedLinkFiles } = statistics;
  if (skippedBinary > 0) {
    yield `Passed over ${skippedBinary} binary files: ${skippedBinaryFiles.slice(0, 3).join(', ')}${skippedBinary > 3 ? ', …' : ''}`;
  }
  if (skippedOther > 0) yield `Passed over ${skippedOther} files that are not text by their names.`;
  if (skippedLinks > 0) {
    yield `Passed over ${skippedLinks} links to files outside of their folder: ${skippedLinkFiles.join(', ')}` +
      `${skippedLinks > skippedLinkFiles.length ? ', …' : ''}. Name the files themselves, or their folder, to read them.`;
  }
  if (options.vocab !== undefined && options.tokenizer !== 'bpe') {
    yield `--vocab ${options.vocab} is ignored: the ${options.tokenizer} tokenizer has ${tokenizer.vocabularySize} entries.`;
  }
}

/** The vocabulary is the tokenizer's, unless the model is a published one with more entries. */
function newModel(options: ParsedTrainOptions, { tokenizer }: Dataset): Model {
  const { family, ...sizes } = modelShape(options);
  const published = options.vocab === undefined && options.preset ? (findPreset(options.preset).vocabulary ?? 0) : 0;
  return Model.create(family, { ...sizes, vocabulary: Math.max(published, tokenizer.vocabularySize) });
}
