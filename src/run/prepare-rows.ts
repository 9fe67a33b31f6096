import { MeanfieldError, UsageError } from '../base/errors.js';
import { RowWindows } from '../data/chat/pack.js';
import { PairList } from '../data/chat/pair.js';
import { type ChatDataset, type ChatStatistics, openChat, prepareChat, trainingFiles } from '../data/chat/prepare.js';
import { ChatRenderer } from '../data/chat/renderer.js';
import { withTemplate } from '../data/chat/template.js';
import { findTurnEnd } from '../data/chat/turn-end.js';
import { OtherTextError } from '../data/index.js';
import type { TrainEvent } from './events.js';
import type { OpenRun } from './open-run.js';
import { modelShape, objectiveName, objectiveOf, vocabularyGoal } from './options.js';
import { keptSource } from './source.js';
import type { PreparedSamples } from './task.js';

/** Tokens of an evaluation during training, about. */
const VALIDATION_TOKENS = 65_536;
/** Milliseconds between two words of how far it is. */
const TELL_EVERY = 200;

/**
 * Turns rows of conversations into tokens in a folder, or finds them there.
 *
 * @throws MeanfieldError when rows cannot be used, or on resuming have changed
 * @throws DOMException (AbortError) when stopped by the signal
 */
export async function prepareRows(
  run: OpenRun,
  folder: string,
  emit: (event: TrainEvent) => void,
  signal?: AbortSignal,
): Promise<PreparedSamples> {
  const { options } = run;
  if (run.text !== undefined) throw new UsageError('Rows of conversations come from files: give `corpus`, not `text`.');
  const dataset = await rowsOf(run, folder, emit, signal);
  const { context } = modelShape(options);
  const { tokenizer, files, train, validation, statistics, fingerprint } = dataset;
  const pairs = objectiveName(options) === 'preference';
  const places = { places: context, packed: !options.unpacked, seed: options.seed };
  const windowsOf = (file: typeof train) => (pairs ? new PairList(file) : new RowWindows(file, places));
  const windows = windowsOf(train);
  const held = windowsOf(validation).length;
  const evaluated = Math.min(held, Math.max(1, Math.floor(VALIDATION_TOKENS / context)));
  for (const message of notices(statistics, windows.length, context, pairs)) emit({ type: 'notice', message });
  const tokensOf = (file: typeof train) =>
    Array.from({ length: file.length }, (_, i) => file.sizeOf(i)).reduce((sum, size) => sum + size, 0);
  const counts = {
    ...{ documents: statistics.rows, bytes: statistics.bytes },
    ...{ train_tokens: tokensOf(train), validation_tokens: tokensOf(validation) },
  };
  train.close();
  validation.close();
  return {
    ...{ tokenizer, fingerprint, context, counts },
    objective: run.chosen.objective ?? objectiveOf(options, tokenizer),
    validation: Array.from({ length: evaluated }, (_, i) => Math.floor((i * held) / evaluated)),
    samplesPerEpoch: windows.length,
    trainingFiles: trainingFiles(),
    chat: { files, end: await turnEnd(dataset) },
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
      heldOut: options.evalFile,
      pairs: objectiveName(options) === 'preference',
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
  samples: number,
  context: number,
  pairs: boolean,
): Generator<string> {
  if (cut > 0)
    yield `${cut} of ${rows} rows are longer than the context of ${context} tokens: ${pairs ? 'their prompts are cut at the beginning' : 'they are cut at the end'}.`;
  if (nothing > 0)
    yield `${nothing} of ${rows} rows are passed over: ${pairs ? 'an answer is empty, or longer than the context' : 'no assistant turn, or none within the context'}.`;
  if (duplicates > 0) yield `${duplicates} of ${rows} rows are equal to an earlier one.`;
  if (unlearnedEnd > 0)
    yield `In ${unlearnedEnd} rows the end of the turn is not learned: the model's template leaves it outside of its {% generation %} block.`;
  if (samples === 0) throw new MeanfieldError('There is no row to learn from.');
}
