import { join, resolve } from 'node:path';
import { MeanfieldError, UsageError } from '../base/errors.js';
import { spelledError } from '../base/spelling.js';
import { holdsSources } from '../data/chat/first-row.js';
import { referenceFiles } from '../data/chat/reference-file.js';
import { withDropoutRate } from '../model/dropout-rate.js';
import { Model } from '../model/model.js';
import { findPreset } from '../model/presets.js';
import { comesInRows, createObjective, learnsRows } from '../objectives/create.js';
import { Preference } from '../objectives/preference/preference.js';
import { type MuonMatrix, muonMatrices } from '../training/muon.js';
import { rateRanges } from '../training/rate-ranges.js';
import { writeBestModel } from './best-model.js';
import type { TrainEvent } from './events.js';
import type { OpenRun } from './open-run.js';
import { modelShape, objectiveName, optimizerName, type ParsedTrainOptions, partsOf } from './options.js';
import { prepareReference } from './prepare-reference.js';
import { prepareRows } from './prepare-rows.js';
import { prepareText } from './prepare-text.js';
import { keepSource, keptSource } from './source.js';
import { frozenPart, startOf, weightsOf } from './start-vectors.js';
import type { DataTask, PreparedRun, PreparedSamples, Settle } from './task.js';
import { teacherOf, teacherPart } from './teacher-part.js';

/** A run that learns from files, and the model for them. */
export interface PreparedData extends PreparedRun, Pick<PreparedSamples, 'samplesPerEpoch' | 'trainingFiles'> {
  readonly task: DataTask;
  readonly model: Model;
}

/**
 * Turns files into samples in the run's folder, or finds them there, and makes the model for them.
 *
 * @param signal ends it while files are read
 * @param settle decides how it is trained
 * @throws MeanfieldError when they cannot be used or hold too little, or on resuming have changed
 * @throws StoppedEarly when the signal came first
 */
export async function prepareData(
  run: OpenRun,
  emit: (event: TrainEvent) => void,
  signal?: AbortSignal,
  settle?: Settle,
): Promise<PreparedData> {
  const { options } = run;
  requireOther(options);
  const folder = join(run.paths.folder, 'tokens');
  if (run.source !== undefined) {
    await keepSource(run.paths.from, run.source);
    if (run.source.added) await run.choose({ added: run.source.added });
    for (const message of run.source.notices) emit({ type: 'notice', message });
  } else if (run.teacher !== undefined && options.from === undefined) {
    // A new student has the tokenizer of its teacher.
    await keepSource(run.paths.from, run.teacher);
  }
  for (const message of run.teacher?.notices ?? []) emit({ type: 'notice', message });
  const prepare = (await learnsOfRows(run)) ? prepareRows : prepareText;
  const orStopped = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      if (signal?.aborted && (error as Error | undefined)?.name === 'AbortError') throw new StoppedEarly();
      throw error;
    });
  const samples = await orStopped(prepare(run, folder, emit, signal));
  const { tokenizer, fingerprint, objective, context, counts, samplesPerEpoch, trainingFiles, bytesPerToken } = samples;
  const vocabulary = tokenizer.vocabularySize;
  const whole = wholeModel(run, () => newModel(options, vocabulary));
  const model = whole.partly(partsOf(options, run.chosen.added));
  const rates = rateRanges(model.layout, model.trained, options);
  const teacher = await teacherPart(run);
  const learned = createObjective(objective, {
    ...{ model, context, seed: options.seed },
    ...(teacher && { teacher: teacherOf(teacher) }),
  });
  await settle?.({ learned, rates, matrices: matricesFor(options, model) });
  // Layer by layer there is another optimiser.
  const matrices = matricesFor(options, model);
  const start = await startOf(run, model);
  // What was read for the frozen part need not be read once more: the trained part of it waits for who begins with it.
  let trainedOnce: Float32Array | undefined;
  const frozen = await frozenPart(run, model, async () => {
    const both = await start();
    trainedOnce = both.trained;
    return both;
  });
  const stored = learned instanceof Preference && model.adapted.length === 0;
  if (stored) await orStopped(storeReference(learned, start));
  const parameters = model.trained.size + model.frozen.size;
  await run.choose({
    data: { fingerprint, ...counts, vocabulary },
    model: JSON.parse(JSON.stringify(model.config)),
    parameters,
    ...(frozen && { frozen: { parameters: model.frozen.size, sha256: frozen.sha256 } }),
    objective,
  });
  return {
    ...{ model, learned, rates, matrices, frozen, parameters, fingerprint, samplesPerEpoch },
    rows: comesInRows(objective) && options.from !== undefined ? samplesPerEpoch : undefined,
    trainingFiles: [...trainingFiles, ...(stored ? referenceFiles() : [])],
    task: {
      ...{ kind: 'data', folder, model: model.config, objective, context },
      ...(frozen && { frozen }),
      ...(teacher && { teacher }),
    },
    validation: samples.validation,
    sizes: { vocabulary, trainTokens: counts.train_tokens, validationTokens: counts.validation_tokens },
    ...(bytesPerToken !== undefined && { bytesPerToken }),
    initial: async () => {
      const trained = trainedOnce ?? (await start()).trained;
      trainedOnce = undefined;
      return trained;
    },
    writeModel: async (to, trained) => {
      const weights = 'file' in trained ? trained : await weightsOf(run, model, trained, frozen);
      await writeBestModel(to, model, tokenizer, weights, await keptSource(run.paths.from), samples.chat);
    },
  };

  /** Without an adapter the reference is the model as it is now, and soon no more. */
  async function storeReference(objective: Preference, vectors: typeof start): Promise<void> {
    if (run.chosen.from === undefined) await vectors();
    await prepareReference({
      ...{ folder, learned: objective, start: vectors, signal },
      key: { fingerprint, base: run.chosen.from!.sha256 },
      batch: options.batchSize,
      threads: options.threads,
      onProgress: (fraction) => emit({ type: 'preparing', stage: 'reference', fraction }),
    });
  }
}

/** Whether files are read as rows; an encoder-decoder learns of either, and the first row tells. */
async function learnsOfRows({ options, chosen, text }: OpenRun): Promise<boolean> {
  if (chosen.objective !== undefined) return comesInRows(chosen.objective);
  const name = objectiveName(options);
  if (name !== 'seq2seq') return learnsRows(name);
  // A field that is named says that the rows are texts, and text from code is none.
  return text === undefined && options.field === undefined && holdsSources(options.corpus);
}

/** @throws UsageError for a file that is both to be learned and to measure what was learned */
function requireOther({ corpus, evalFile }: ParsedTrainOptions): void {
  if (evalFile === undefined || !corpus.some((path) => resolve(path) === resolve(evalFile))) return;
  throw spelledError(
    UsageError,
    ({ option }) =>
      `${option('evalFile', evalFile)} is to be learned from, too: what was learned is measured on other text. Name ` +
      `another file, or leave ${option('evalFile')} out to hold a part out.`,
  );
}

/** What Muon trains, where it is to. @throws UsageError where that is nothing */
function matricesFor(options: ParsedTrainOptions, model: Model): MuonMatrix[] | undefined {
  if (optimizerName(options) !== 'muon') return undefined;
  const matrices = muonMatrices(model.trained, model.linearLayers());
  if (matrices.length > 0 || options.optimizer === undefined) return matrices;
  throw spelledError(
    UsageError,
    ({ option }) =>
      `${option('optimizer', 'muon')} trains whole matrices of hidden layers, and here none is trained. ` +
      `Leave it out, or train more than ${options.adapter ? option('adapter', options.adapter) : option('freeze')} leaves.`,
  );
}

/** A run's model with all that its `config.json` tells, of which parts may stay as they are. @param make a new one */
function wholeModel({ chosen, source, options }: OpenRun, make: () => Model): Model {
  if (chosen.model) return Model.fromConfig(chosen.model);
  const model = source?.model ?? make();
  return options.dropout && !options.adapter ? withDropoutRate(model, options.dropout) : model;
}

/** The vocabulary is the tokenizer's, unless the model is a published one with more entries. */
function newModel(options: ParsedTrainOptions, vocabulary: number): Model {
  const { family, ...sizes } = modelShape(options);
  const published = options.vocab === undefined && options.preset ? (findPreset(options.preset).vocabulary ?? 0) : 0;
  return Model.create(family, { ...sizes, vocabulary: Math.max(published, vocabulary) });
}

/** A run was told to stop while its files were read: there is nothing to save yet. */
export class StoppedEarly extends MeanfieldError {
  override name = 'StoppedEarly';
  override readonly exitCode = 130;

  constructor() {
    super('Stopped while the text was read, before the first step: there was nothing to save.');
  }
}
