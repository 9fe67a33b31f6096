import { MeanfieldError, UsageError } from '../base/errors.js';
import { RowWindows } from '../data/chat/pack.js';
import { PairList } from '../data/chat/pair.js';
import { type ChatDataset, type ChatStatistics, openChat, prepareChat, trainingFiles } from '../data/chat/prepare.js';
import { ChatRenderer } from '../data/chat/renderer.js';
import type { RowFile } from '../data/chat/row-file.js';
import { sourceAndTarget } from '../data/chat/source-row.js';
import { withTemplate } from '../data/chat/template.js';
import { findTurnEnd } from '../data/chat/turn-end.js';
import { OtherTextError, type Tokenizer } from '../data/index.js';
import { type ObjectiveConfig, seq2seqOf } from '../objectives/create.js';
import type { ObjectiveName } from '../objectives/names.js';
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
  if (run.text !== undefined) throw new UsageError('Rows come from files: give `corpus`, not `text`.');
  const dataset = await rowsOf(run, folder, emit, signal);
  const { tokenizer, files, train, validation, statistics, fingerprint } = dataset;
  const name = objectiveName(options);
  const { context: longest } = modelShape(options);
  const sources = name === 'seq2seq';
  const objective = run.chosen.objective ?? (sources ? ofSources(run, dataset) : objectiveOf(options, tokenizer));
  const room = objective.name === 'seq2seq' ? objective.room : undefined;
  const context = room ? room.source + room.target : longest;
  const places = { places: context, packed: !options.unpacked, seed: options.seed };
  const windowsOf = (file: RowFile) =>
    sources ? file : name === 'preference' ? new PairList(file) : new RowWindows(file, places);
  const windows = windowsOf(train);
  const held = windowsOf(validation).length;
  const evaluated = Math.min(held, Math.max(1, Math.floor(VALIDATION_TOKENS / context)));
  for (const message of notices(statistics, windows.length, longest, name)) emit({ type: 'notice', message });
  const tokensOf = (file: typeof train) =>
    Array.from({ length: file.length }, (_, i) => file.sizeOf(i)).reduce((sum, size) => sum + size, 0);
  const counts = {
    ...{ documents: statistics.rows, bytes: statistics.bytes },
    ...{ train_tokens: tokensOf(train), validation_tokens: tokensOf(validation) },
  };
  train.close();
  validation.close();
  return {
    ...{ tokenizer, fingerprint, context, counts, objective },
    validation: Array.from({ length: evaluated }, (_, i) => Math.floor((i * held) / evaluated)),
    samplesPerEpoch: windows.length,
    trainingFiles: trainingFiles(),
    ...(!sources && { chat: { files, end: await turnEnd(dataset) } }),
  };
}

/** What is learned of sources with targets, in as much room as the longest of each needs. */
function ofSources(run: OpenRun, { tokenizer, train, validation }: ChatDataset): ObjectiveConfig {
  const room = { source: 1, target: 1 };
  for (const file of [train, validation])
    for (let i = 0; i < file.length; i++) {
      const { source, target } = sourceAndTarget(file.at(i));
      room.source = Math.max(room.source, source.length);
      room.target = Math.max(room.target, target.length);
    }
  const { name, start, end } = marksOf(run, tokenizer);
  return { name, start, end, room };
}

const marksOf = (run: OpenRun, tokenizer: Tokenizer) =>
  seq2seqOf(tokenizer, run.source?.model.config as object | undefined);

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
  const name = objectiveName(options);
  const given = (run.source ?? (await keptSource(run.paths.from)))?.tokenizerFiles;
  try {
    return await prepareChat({
      paths: options.corpus,
      folder,
      except: [run.paths.folder],
      tokenizer: (name === 'seq2seq' ? given : withTemplate(given)) ?? options.tokenizer,
      vocabularySize: vocabularyGoal(options),
      validationFraction: options.validationFraction,
      heldOut: options.evalFile,
      pairs: name === 'preference',
      sourceEnd: name === 'seq2seq' ? (tokenizer) => marksOf(run, tokenizer).end : undefined,
      // The last token of other rows is only told.
      longest: modelShape(options).context + (name === 'seq2seq' ? 0 : 1),
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

/** What is told of rows that are cut, and of those that are passed over. */
const TOLD: Readonly<Partial<Record<ObjectiveName, { readonly cut: string; readonly nothing: string }>>> = {
  chat: { cut: 'they are cut at the end', nothing: 'no assistant turn, or none within the context' },
  preference: {
    cut: 'their prompts are cut at the beginning',
    nothing: 'an answer is empty, or longer than the context',
  },
  seq2seq: { cut: 'source and target are cut at the end, each to as many', nothing: 'the target is empty' },
};

function* notices(
  { rows, cut, nothing, duplicates, unlearnedEnd }: ChatStatistics,
  samples: number,
  context: number,
  name: ObjectiveName,
): Generator<string> {
  const told = TOLD[name] ?? TOLD.chat!;
  if (cut > 0) yield `${cut} of ${rows} rows are longer than the context of ${context} tokens: ${told.cut}.`;
  if (nothing > 0) yield `${nothing} of ${rows} rows are passed over: ${told.nothing}.`;
  if (duplicates > 0) yield `${duplicates} of ${rows} rows are equal to an earlier one.`;
  if (unlearnedEnd > 0)
    yield `In ${unlearnedEnd} rows the end of the turn is not learned: the model's template leaves it outside of its {% generation %} block.`;
  if (samples === 0) throw new MeanfieldError('There is no row to learn from.');
}
