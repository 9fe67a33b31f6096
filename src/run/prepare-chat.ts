import { join } from 'node:path';
import { MeanfieldError, UsageError } from '../base/errors.js';
import { RowWindows } from '../data/chat/pack.js';
import { type ChatDataset, type ChatStatistics, openChat, prepareChat } from '../data/chat/prepare.js';
import { ChatRenderer } from '../data/chat/renderer.js';
import { withTemplate } from '../data/chat/template.js';
import { findTurnEnd } from '../data/chat/turn-end.js';
import { OtherTextError } from '../data/index.js';
import { Model } from '../model/model.js';
import { Chat } from '../objectives/chat/chat.js';
import { writeBestModel } from './best-model.js';
import type { TrainEvent } from './events.js';
import type { OpenRun } from './open-run.js';
import { modelShape, partsOf, vocabularyGoal } from './options.js';
import { frozenPart, StoppedEarly, startOf, weightsOf } from './prepare-text.js';
import { keepSource, keptSource } from './source.js';
import type { PreparedRun } from './task.js';

/** Tokens of an evaluation during training, about. */
const VALIDATION_TOKENS = 65_536;
/** Milliseconds between two words of how far it is. */
const TELL_EVERY = 200;

/**
 * Turns rows of conversations into tokens in the run's folder, or finds them there, and makes the model for them.
 *
 * @param signal ends it while rows are read
 * @throws MeanfieldError when rows cannot be used, or on resuming have changed
 * @throws StoppedEarly when the signal came first
 */
export async function prepareChatRun(
  run: OpenRun,
  emit: (event: TrainEvent) => void,
  signal?: AbortSignal,
): Promise<PreparedRun> {
  const { options, chosen } = run;
  if (run.text !== undefined)
    throw new UsageError('Rows of conversations come from files: give `corpus` with `objective: chat`, not `text`.');
  const rows = join(run.paths.folder, 'tokens');
  if (run.source !== undefined) {
    await keepSource(run.paths.from, run.source);
    for (const message of run.source.notices) emit({ type: 'notice', message });
  }
  const dataset = await rowsOf(run, rows, emit, signal).catch((error: unknown) => {
    if (signal?.aborted && (error as Error | undefined)?.name === 'AbortError') throw new StoppedEarly();
    throw error;
  });
  const { family, ...sizes } = modelShape(options);
  const { context } = sizes;
  const { tokenizer, files, train, validation, statistics } = dataset;
  const whole = chosen.model
    ? Model.fromConfig(chosen.model)
    : (run.source?.model ?? Model.create(family, { ...sizes, vocabulary: tokenizer.vocabularySize }));
  const model = whole.partly(partsOf(options));
  const objective = { name: 'chat', packed: options.unpacked !== true } as const;
  const learned = new Chat(model, context);
  const start = startOf(run, model);
  const frozen = await frozenPart(run, model, start);
  const windows = new RowWindows(train, { places: context, packed: objective.packed, seed: options.seed });
  const held = new RowWindows(validation, { places: context, packed: objective.packed, seed: options.seed });
  const evaluated = Math.min(held.length, Math.max(1, Math.floor(VALIDATION_TOKENS / context)));
  for (const message of notices(statistics, windows, context)) emit({ type: 'notice', message });
  const tokensOf = (file: typeof train) =>
    Array.from({ length: file.length }, (_, i) => file.sizeOf(i)).reduce((sum, size) => sum + size, 0);
  const trainTokens = tokensOf(train);
  const validationTokens = tokensOf(validation);
  train.close();
  validation.close();
  const end = await turnEnd(dataset);
  await run.choose({
    data: {
      fingerprint: dataset.fingerprint,
      documents: statistics.rows,
      bytes: statistics.bytes,
      train_tokens: trainTokens,
      validation_tokens: validationTokens,
      vocabulary: tokenizer.vocabularySize,
    },
    model: JSON.parse(JSON.stringify(model.config)),
    parameters: model.trained.size + model.frozen.size,
    ...(frozen && { frozen: { parameters: model.frozen.size, sha256: frozen.sha256 } }),
    objective,
  });
  return {
    task: { kind: 'chat', rows, model: model.config, ...(frozen && { frozen }), objective, context },
    learned,
    frozen,
    parameters: model.trained.size + model.frozen.size,
    fingerprint: dataset.fingerprint,
    validation: Array.from({ length: evaluated }, (_, i) => Math.floor((i * held.length) / evaluated)),
    sizes: { vocabulary: tokenizer.vocabularySize, trainTokens, validationTokens },
    initial: async () => (await start()).trained,
    writeModel: async (folder, trained) => {
      const weights = await weightsOf(run, model, trained, frozen);
      await writeBestModel(folder, model, tokenizer, weights, await keptSource(run.paths.from), { files, end });
    },
  };
}

async function rowsOf(
  run: OpenRun,
  folder: string,
  emit: (event: TrainEvent) => void,
  signal: AbortSignal | undefined,
): Promise<ChatDataset> {
  const { options, chosen } = run;
  const known = chosen.data?.fingerprint;
  // The run's own rows serve although the files may be gone, or others by now; those that are named anew must be they.
  const own =
    known === undefined || run.namesCorpusAnew
      ? undefined
      : await openChat(folder, { check: true }).catch(() => undefined);
  if (own !== undefined && own.fingerprint === known) return own;
  let told = 0;
  try {
    return await prepareChat({
      paths: options.corpus,
      folder,
      except: [run.paths.folder],
      tokenizer: withTemplate((run.source ?? (await keptSource(run.paths.from)))?.tokenizerFiles) ?? options.tokenizer,
      vocabularySize: vocabularyGoal(options),
      validationFraction: options.validationFraction,
      longest: modelShape(options).context + 1,
      expected: known,
      signal,
      onProgress: () => {
        if (performance.now() - told < TELL_EVERY) return;
        told = performance.now();
        emit({ type: 'preparing', stage: 'encoding' });
      },
    });
  } catch (error) {
    if (!(error instanceof OtherTextError)) throw error;
    throw new MeanfieldError(
      `The rows in ${options.corpus.join(', ')} are not what the run was started with. Restore them, leave them out to ` +
        "resume with the run's own, or start a new run.",
      { cause: error },
    );
  }
}

async function turnEnd({ template, tokenizer }: ChatDataset): Promise<number | undefined> {
  const renderer = new ChatRenderer(template);
  try {
    return (await findTurnEnd(renderer, tokenizer)).id;
  } finally {
    await renderer.close();
  }
}

function* notices(
  { rows, cut, nothing, duplicates, unlearnedEnd }: ChatStatistics,
  windows: RowWindows,
  context: number,
): Generator<string> {
  if (cut > 0)
    yield `${cut} of ${rows} rows are longer than the context of ${context} tokens: they are cut at the end.`;
  if (nothing > 0) yield `${nothing} of ${rows} rows are passed over: no assistant turn, or none within the context.`;
  if (duplicates > 0) yield `${duplicates} of ${rows} rows are equal to an earlier one.`;
  if (unlearnedEnd > 0)
    yield `In ${unlearnedEnd} rows the end of the turn is not learned: the model's template leaves it outside of its {% generation %} block.`;
  if (windows.length === 0) throw new MeanfieldError('There is no row to learn from.');
}
