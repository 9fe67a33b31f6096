import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { MeanfieldError, UsageError } from '../base/errors.js';
import { writeFileAtomic } from '../base/files/atomic.js';
import { readJsonFile } from '../base/files/json-file.js';
import { makeFolder } from '../base/files/make-folder.js';
import { namesIn } from '../base/files/names-in.js';
import { firstIssue } from '../base/first-issue.js';
import { type JsonValue, jsonText } from '../base/json.js';
import { spelledError } from '../base/spelling.js';
import { acquireLock, type Lock } from '../run/lock.js';
import { type ParsedScaleOptions, scaleSchema } from './options.js';

const FORMAT = 'meanfield-scale';
const NAME = 'scale.json';

const figure = z.number();
const positive = figure.positive();
const resultSchema = z.strictObject({ loss: positive.nullable(), seconds: figure.nonnegative() });

const recordSchema = z.strictObject({
  format: z.literal(FORMAT),
  options: scaleSchema,
  /** Corpora by whole paths. */
  corpus: z.array(z.string().min(1)).min(1),
  /** What this machine was measured to do, where it was. */
  speed: z
    .strictObject({ overhead: figure.nonnegative(), fixed: figure.nonnegative(), perParameter: positive })
    .optional(),
  /** Of the shortest runs. */
  shortest: z.int().positive().optional(),
  /** Equal ones mean equal text, in the same two parts. */
  fingerprint: z.string().optional(),
  /** By the jobs' ids. */
  results: z.record(z.string(), resultSchema),
  /** What was foretold before the run that it is of began. */
  prediction: z
    .strictObject({ parameters: positive, tokens: positive, loss: positive, low: positive, high: positive })
    .optional(),
  /** The gaps of averaging that were foretold before runs of as many replicas began. */
  gaps: z
    .array(z.strictObject({ replicas: z.int().positive(), syncEvery: z.int().positive(), gap: figure }))
    .optional(),
});

/** What `scale.json` holds: how a ladder was made, and how far it is. */
export type ScaleRecord = Omit<z.infer<typeof recordSchema>, 'options'> & { readonly options: ParsedScaleOptions };

/** A ladder's folder that this process holds. */
export class LadderFolder {
  #record: ScaleRecord;
  #written: Promise<void> = Promise.resolve();

  private constructor(
    readonly folder: string,
    private readonly lock: Lock,
    record: ScaleRecord,
  ) {
    this.#record = record;
  }

  /**
   * Makes a ladder's folder, or takes its lock to go on with it.
   *
   * @param first what it begins with; undefined for one that exists
   * @throws UsageError when there is a ladder or anything else where a new one is wanted, or none to be taken up again
   * @throws MeanfieldError when it is in use or damaged
   */
  static async open(
    folder: string,
    first: Pick<ScaleRecord, 'options' | 'corpus'> | undefined,
    force: boolean,
  ): Promise<LadderFolder> {
    const names = await namesIn(folder, 'out');
    if (first === undefined && !names.includes(NAME))
      throw spelledError(
        UsageError,
        ({ option }) => `There is no ladder to go on with in ${folder}: it has no ${NAME}. Check ${option('out')}.`,
      );
    if (first !== undefined) refuseIfUsed(folder, names);
    await makeFolder(folder);
    const lock = await acquireLock(folder, { force });
    try {
      if (first === undefined) return new LadderFolder(folder, lock, await readScaleRecord(folder));
      refuseIfUsed(folder, await namesIn(folder, 'out'));
      const made = new LadderFolder(folder, lock, { format: FORMAT, ...first, results: {} });
      await made.change({});
      return made;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  get record(): ScaleRecord {
    return this.#record;
  }

  /** What the user should hear of the lock. */
  get notice(): string | undefined {
    return this.lock.notice;
  }

  /** Where a job's run is kept. */
  runFolder(id: string): string {
    return join(this.folder, 'runs', id);
  }

  /** Changes what `scale.json` holds; it is on the disk when this is fulfilled. Calls may overlap. */
  change(changes: Partial<ScaleRecord>): Promise<void> {
    this.#record = { ...this.#record, ...changes };
    this.#written = this.#written.then(() =>
      writeFileAtomic(join(this.folder, NAME), jsonText(this.#record as unknown as JsonValue)).then(() => {}),
    );
    return this.#written;
  }

  async release(): Promise<void> {
    await this.#written.catch(() => {});
    await this.lock.release();
  }

  /** Takes away a ladder that never began, so that nothing stands in the way of the corrected command. */
  async remove(): Promise<void> {
    await this.#written.catch(() => {});
    await rm(this.folder, { recursive: true, force: true });
  }
}

/**
 * Reads a ladder's `scale.json` without taking its lock.
 *
 * @throws MeanfieldError when it is missing or damaged
 */
export async function readScaleRecord(folder: string): Promise<ScaleRecord> {
  const path = join(folder, NAME);
  const advice = 'Restore it from a copy, or make a new ladder.';
  const content = await readJsonFile(path, advice);
  const parsed = recordSchema.safeParse(content);
  if (!parsed.success) throw new MeanfieldError(`${path} is damaged: ${firstIssue(parsed.error)}. ${advice}`);
  return parsed.data as unknown as ScaleRecord;
}

/** What a process leaves that was killed before `scale.json` was there. */
const LEFT = /^(?:lock(?:\..*)?|scale\.json\.[0-9a-f]{8}\.tmp)$/;

function refuseIfUsed(folder: string, names: readonly string[]): void {
  if (names.includes(NAME))
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${folder} holds a ladder already. Go on with it by ${option('resume', true)}, or choose another ${option('out')}.`,
    );
  const others = names.filter((name) => !LEFT.test(name));
  if (others.length > 0)
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${folder} is no ladder and not empty (${others.slice(0, 3).join(', ')}). Choose another ${option('out')}, or empty it.`,
    );
}
