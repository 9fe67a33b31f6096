import { rm } from 'node:fs/promises';
import { MeanfieldError, UsageError } from '../base/errors.js';
import { exists } from '../base/files/exists.js';
import { MANIFEST } from '../data/dataset/manifest.js';
import {
  corpusNotices,
  type Dataset,
  loadTokenizer,
  OtherTextError,
  openDataset,
  prepareDataset,
  requireWindow,
  TokenWindows,
  validationWindows,
} from '../data/index.js';
import { type TextObjectiveConfig, windowTokens } from '../objectives/create.js';
import type { TrainEvent } from './events.js';
import { textFile, writeGivenText } from './given-text.js';
import type { OpenRun } from './open-run.js';
import { modelShape, objectiveName, objectiveOf, type ParsedTrainOptions, vocabularyGoal } from './options.js';
import type { PreparedSamples } from './task.js';

/** How often the preparation tells how far it is, in milliseconds. */
const TELL_EVERY = 200;

/**
 * Turns the corpus into tokens in a folder, or finds them there.
 *
 * @throws MeanfieldError when the text cannot be used or is too short, or on resuming has changed
 * @throws DOMException (AbortError) when stopped by the signal
 */
export async function prepareText(
  run: OpenRun,
  folder: string,
  emit: (event: TrainEvent) => void,
  signal?: AbortSignal,
): Promise<PreparedSamples> {
  const { options, chosen } = run;
  const dataset = await tokensOf(run, folder, emit, signal).catch((error: unknown) => {
    throw error instanceof OtherTextError ? otherText(run, folder, error) : error;
  });
  const { train, validation, tokenizer, fingerprint, statistics } = dataset;
  const objective = (chosen.objective ??
    objectiveOf(options, tokenizer, run.source?.model.config as object | undefined)) as TextObjectiveConfig;
  const context = windowTokens(objective, modelShape(options).context);
  requireWindow(train, context);
  const windows = validationWindows(validation, context);
  const { documents, bytes } = statistics;
  const { samplesPerEpoch } = new TokenWindows({ tokens: train, context, seed: options.seed });
  const prepared = {
    ...{ tokenizer, fingerprint, objective, context, samplesPerEpoch },
    counts: { documents, bytes, train_tokens: train.length, validation_tokens: validation.length },
    validation: windows,
    bytesPerToken: bytesPerToken(dataset, windows, context),
    trainingFiles: [MANIFEST, ...train.names],
  };
  train.close();
  validation.close();
  return prepared;
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
  const makesTokenizer = options.from === undefined && options.teacher === undefined;
  let told = 0;
  const dataset = await prepareDataset({
    paths: options.corpus,
    field: options.field,
    folder,
    except: [run.paths.folder],
    expected: known,
    signal,
    tokenizer: makesTokenizer ? options.tokenizer : await loadTokenizer(run.paths.from),
    vocabularySize: makesTokenizer ? vocabularyGoal(options) : undefined,
    mask: objectiveName(options) === 'masked',
    sentinels: objectiveName(options) === 'seq2seq',
    validationFraction: options.validationFraction,
    heldOut: options.evalFile,
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
