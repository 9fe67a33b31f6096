import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { UsageError } from '../base/errors.js';
import type { JsonValue } from '../base/json.js';
import { type Spelling, spelledError } from '../base/spelling.js';
import { firstForm } from '../data/chat/first-row.js';
import { SENTINELS } from '../data/tokenizers/sentinel-tokens.js';
import { chooseDevice } from '../engine/node/create.js';
import { Model } from '../model/model.js';
import { createObjective, windowTokens } from '../objectives/create.js';
import { type GivenText, textFile } from './given-text.js';
import { checkTeacher, type OpenedTeacher, openTeacher } from './open-teacher.js';
import {
  checkAddedTokens,
  checkFrom,
  checkMoments,
  checkOffload,
  checkPrecision,
  isOwn,
  modelShape,
  type OwnTrainOptions,
  objectiveName,
  objectiveOf,
  type ParsedTrainOptions,
  parseTrainOptions,
  partsOf,
  type TrainOptions,
} from './options.js';
import { identifyModule, resumedModule } from './own-module.js';
import { createRun, type Run, type RunPaths, resumeRun, writeRunFile } from './run-folder.js';
import {
  type Chosen,
  furtherRecord,
  newRecord,
  parseRecord,
  type RunRecord,
  recordJson,
  resumedOptions,
  versionNotices,
} from './run-record.js';
import { openSource, type RunSource } from './source.js';

/** The way to train a run that fits into its memory. */
export interface Settled {
  readonly offload: NonNullable<ParsedTrainOptions['offload']>;
  readonly recompute?: boolean | undefined;
  /** Left out, as the options say. */
  readonly momentsPrecision?: ParsedTrainOptions['momentsPrecision'] | undefined;
}

/** A run folder that this process holds, and what its `run.json` says. */
export class OpenRun {
  #record: RunRecord;
  #begun: boolean;

  private constructor(
    private readonly run: Run,
    record: RunRecord,
    readonly options: ParsedTrainOptions,
    readonly resumed: boolean,
    /** Whether a corpus is named in other words than when the run was started; it must have the same content. */
    readonly namesCorpusAnew: boolean,
    readonly notices: readonly string[],
    /** From code, to be written into {@link textFile}. */
    readonly text: GivenText | undefined,
    /** Of a new run that starts from a model. */
    readonly source?: RunSource,
    /** Of a run that has not read its teacher yet. */
    readonly teacher?: OpenedTeacher,
  ) {
    this.#record = record;
    this.#begun = resumed;
  }

  /**
   * Checks the options and makes the run, or takes it up again.
   *
   * @throws UsageError for wrong options, a run that exists, or on resuming one of other options
   * @throws MeanfieldError when the run is in use, or the device is not available
   */
  static async open(given: TrainOptions | OwnTrainOptions): Promise<OpenRun> {
    if (given?.resume) return OpenRun.#resume(given);
    const options = parseTrainOptions(given);
    const folder = options.run ?? defaultFolder();
    const text = textOf(given);
    if (text !== undefined) options.corpus = [textFile(folder)];
    checkHeldOut(given);
    if (!isOwn(given)) checkTeacher(given);
    const source = await sourceOf(given, options);
    const teacher = await teacherFor(options, source);
    await check(options, source?.model, teacher?.model);
    const module = options.module === undefined ? undefined : await identifyModule(options.module);
    const record = newRecord(options);
    if (module) record.chosen.module = module;
    if (text !== undefined) record.chosen.text = 'code';
    const run = await createRun(folder, recordJson(record), { force: options.force });
    return new OpenRun(run, record, options, false, false, run.notices, text, source, teacher);
  }

  static async #resume(given: TrainOptions | OwnTrainOptions): Promise<OpenRun> {
    if (given.run === undefined) {
      const say = ({ option }: Spelling) => `Which run is to be resumed? Name its folder with ${option('run')}.`;
      throw spelledError(UsageError, say);
    }
    const run = await resumeRun(given.run, { force: given.force ?? false });
    try {
      const record = parseRecord(run.content, run.paths.run);
      const module = await resumedModule(given, record);
      const text = textOf(given);
      const options = resumedOptions(given, record);
      const named = !isOwn(given) && (given.corpus?.length ?? 0) > 0;
      // Its folder may lie elsewhere by now.
      if (text !== undefined || (record.chosen.text === 'code' && !named)) options.corpus = [textFile(given.run)];
      if (options.from !== undefined) checkFrom(given as TrainOptions);
      checkHeldOut(given);
      if (!isOwn(given)) checkTeacher({ ...given, teacher: options.teacher, from: options.from });
      const started = record.chosen.model !== undefined;
      // Killed before its text was read, it has nothing of the model yet.
      const source = started ? undefined : await sourceOf(given, options);
      const teacher = record.chosen.teacher ? undefined : await teacherFor(options, source);
      const model = options.module || !started ? source?.model : Model.fromConfig(record.chosen.model);
      await check(options, model, teacher?.model);
      const further = furtherRecord(record, options);
      if (module) further.chosen.module = module;
      const anew =
        text !== undefined || (named && JSON.stringify(options.corpus) !== JSON.stringify(record.options.corpus));
      // What its memory had it trained with is as good as given.
      options.offload ??= record.chosen.offload;
      const notices = [...run.notices, ...versionNotices(record)];
      const opened = new OpenRun(run, further, options, true, anew, notices, text, source, teacher);
      const { momentsPrecision } = record.chosen;
      if (momentsPrecision !== undefined) opened.#keepMomentsIn(momentsPrecision);
      return opened;
    } catch (error) {
      await run.lock.release();
      throw error;
    }
  }

  get paths(): RunPaths {
    return this.run.paths;
  }

  get chosen(): Chosen {
    return this.#record.chosen;
  }

  /** What `run.json` holds. */
  get content(): JsonValue {
    return recordJson(this.#record);
  }

  /** Adds to `run.json` what has been chosen. */
  async choose(chosen: Chosen): Promise<void> {
    this.#record = { ...this.#record, chosen: { ...this.#record.chosen, ...chosen } };
    await writeRunFile(this.run.paths, recordJson(this.#record));
  }

  /** Has it trained in the way that fits into its memory. */
  async settle({ offload, recompute, momentsPrecision }: Settled): Promise<void> {
    this.options.offload = offload;
    if (momentsPrecision !== undefined) this.#keepMomentsIn(momentsPrecision);
    await this.choose({
      offload,
      ...(recompute !== undefined && { recompute }),
      ...(momentsPrecision !== undefined && { momentsPrecision }),
    });
  }

  /** It is of one replica, whose moments nobody averages. */
  #keepMomentsIn(precision: ParsedTrainOptions['momentsPrecision']): void {
    this.options.momentsPrecision = precision;
    this.options.replicas = 1;
  }

  /** Whether it is further than its preparation, in this process or an earlier one. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Its first step is about to be taken: from here on the folder is worth keeping. */
  begin(): void {
    this.#begun = true;
  }

  /** Gives back what has begun. What failed before leaves nothing that would stand in the way of the corrected command. */
  async end(): Promise<void> {
    if (this.#begun) await this.release();
    else await rm(this.run.paths.folder, { recursive: true, force: true });
  }

  /** Gives the folder back. */
  async release(): Promise<void> {
    await this.run.lock.release();
  }
}

/** Finds what is wrong before anything slow begins. */
async function check(options: ParsedTrainOptions, known?: Model, teacher?: Model): Promise<void> {
  await chooseDevice(options.device);
  if (options.module === undefined) checkModel(options, known, teacher);
  const { replicas } = options;
  // Each has threads and vectors of its own; this many is a slip of the keyboard.
  const most = 4 * availableParallelism() + 16;
  if (typeof replicas === 'number' && replicas > most) {
    throw spelledError(
      UsageError,
      ({ option }) => `${option('replicas')} must be at most ${most} on this machine, or auto; got ${replicas}.`,
    );
  }
}

function textOf(given: TrainOptions | OwnTrainOptions): GivenText | undefined {
  return isOwn(given) ? undefined : given.text;
}

/** The model that a run is to start from, if it is to start from one. */
async function sourceOf(given: TrainOptions | OwnTrainOptions, options: ParsedTrainOptions) {
  checkAddedTokens(options);
  checkPrecision(options);
  checkMoments(options);
  checkOffload(options);
  if (options.from === undefined) return undefined;
  checkFrom(given as TrainOptions);
  // Text from code is no file of rows.
  const rows = textOf(given) === undefined && options.field === undefined;
  if (options.objective === undefined && rows && (await firstForm(options.corpus)) === 'preference')
    options.objective = 'preference';
  return openSource(options.from, options);
}

/** @throws UsageError where it is said twice what is held out */
function checkHeldOut(given: TrainOptions | OwnTrainOptions): void {
  if (isOwn(given) || given.evalFile === undefined || given.validationFraction === undefined) return;
  throw spelledError(
    UsageError,
    ({ option }) =>
      `${option('evalFile')} is held out in place of a part of the corpus, so ${option('validationFraction')} would say ` +
      'nothing. Leave one of them out.',
  );
}

/** The model whose probabilities a run is to learn, if it is to learn any. */
async function teacherFor(options: ParsedTrainOptions, source: RunSource | undefined) {
  return options.teacher === undefined ? undefined : openTeacher(options.teacher, options, source);
}

/** @param known the model, where it is not a new one */
function checkModel(options: ParsedTrainOptions, known?: Model, teacher?: Model): void {
  const { family, ...sizes } = modelShape(options);
  const name = objectiveName(options);
  if (name === 'preference' && options.from === undefined)
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${option('objective', name)} goes on from a model that answers already: name it with ${option('from')}.`,
    );
  const whole = known ?? Model.create(family, { ...sizes, vocabulary: 1 });
  const model = whole.partly(partsOf(options));
  // Any ids stand for the tokenizer's marks, as 1 stands for the vocabulary: there is no tokenizer yet.
  const marks = { mask: 1, sentinels: { first: SENTINELS, count: SENTINELS }, endOfText: 0 };
  const objective = objectiveOf(options, marks);
  const { teacherWeight: weight, teacherTemperature: temperature } = options;
  createObjective(objective, {
    ...{ model, context: windowTokens(objective, sizes.context), seed: options.seed },
    ...(teacher && { teacher: { model: teacher, weight, temperature } }),
  });
}

function defaultFolder(): string {
  const [date, time] = new Date().toISOString().split(/[T.]/);
  return `runs/${date}-${time!.replaceAll(':', '')}`;
}
