import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../base/errors.js';
import { asWriteError, writeFileAtomic } from '../base/files/atomic.js';
import { repairFolder } from '../base/files/folder-swap.js';
import { readJsonFile } from '../base/files/json-file.js';
import { makeFolder } from '../base/files/make-folder.js';
import { namesIn } from '../base/files/names-in.js';
import { type JsonValue, jsonText } from '../base/json.js';
import { spelledError } from '../base/spelling.js';
import { FROZEN } from '../hub/model-files.js';
import { tidyCheckpoints } from './checkpoint.js';
import { acquireLock, type Lock, type LockOptions } from './lock.js';

/** Where the parts of a run lie. */
export interface RunPaths {
  readonly folder: string;
  /** Resolved configuration, versions, seed and data fingerprints. */
  readonly run: string;
  /** One JSON line an event. */
  readonly metrics: string;
  /** One folder a checkpoint. */
  readonly checkpoints: string;
  /** Of a model that is trained layer by layer, what of it is on disk, its checkpoint among it. */
  readonly offload: string;
  /** The frozen parameters, where there are some: see {@link FrozenPart}. */
  readonly frozen: string;
  /** The parameters of a teacher, where there is one: see {@link TeacherPart}. */
  readonly teacher: string;
  /** What is kept of the files of the model that the run started from: see {@link keepSource}. */
  readonly from: string;
  /** The best model so far in Hugging Face layout. */
  readonly model: string;
}

/** A run folder that this process alone writes. */
export interface Run {
  readonly paths: RunPaths;
  /** What `run.json` holds; its schema belongs to the caller. */
  readonly content: JsonValue;
  /** What the user should hear, such as that a dead process's lock was taken over. */
  readonly notices: readonly string[];
  readonly lock: Lock;
}

/** The places in a run folder, which need not exist. TensorBoard's files lie in the folder itself. */
export function runPaths(folder: string): RunPaths {
  return {
    folder,
    run: join(folder, 'run.json'),
    metrics: join(folder, 'metrics.jsonl'),
    checkpoints: join(folder, 'checkpoints'),
    offload: join(folder, 'offload'),
    frozen: join(folder, FROZEN),
    teacher: join(folder, 'teacher.safetensors'),
    from: join(folder, 'from'),
    model: join(folder, 'model'),
  };
}

/**
 * Makes a run folder, takes its lock and writes `run.json`, before anything slow. Release the lock at the end.
 *
 * @throws UsageError when the folder holds a run or anything else
 * @throws MeanfieldError when another process is making it, or it cannot be written
 *
 * @example
 * const run = await createRun('runs/demo', { seed: 1337 });
 * try {
 *   // train
 * } finally {
 *   await run.lock.release();
 * }
 */
export async function createRun(folder: string, content: JsonValue, options: LockOptions = {}): Promise<Run> {
  const paths = runPaths(folder);
  try {
    await refuseIfUsed(folder);
    await makeFolder(folder);
  } catch (error) {
    throw asWriteError(error, folder);
  }
  return withLock(paths, options, async () => {
    // Another process may have made the run between the first look and the lock.
    await refuseIfUsed(folder);
    await writeRunFile(paths, content);
    return content;
  });
}

/**
 * Takes the lock of a run that exists, ends what a killed process left half done and reads `run.json`.
 *
 * @throws UsageError when there is no run
 * @throws MeanfieldError when it is in use or `run.json` is damaged
 */
export async function resumeRun(folder: string, options: LockOptions = {}): Promise<Run> {
  const paths = runPaths(folder);
  const names = await namesIn(folder, 'run');
  if (!names.includes('run.json')) {
    const found = names.length > 0 ? 'the folder has no run.json' : 'there is no such folder, or it is empty';
    throw spelledError(
      UsageError,
      ({ option }) =>
        `There is no run to resume in ${folder}: ${found}. Check ${option('run')}, or start it without ` +
        `${option('resume')}.`,
    );
  }
  return withLock(paths, options, async () => {
    const content = await readRunFile(folder);
    await tidyCheckpoints(paths.checkpoints);
    await repairFolder(paths.model);
    for (const name of names) if (LEFT_BY_ATOMIC_WRITE.test(name)) await rm(join(folder, name), { force: true });
    return content;
  });
}

/**
 * Reads `run.json` without taking the lock, as `info` does.
 *
 * @throws MeanfieldError when it is missing or damaged
 */
export async function readRunFile(folder: string): Promise<JsonValue> {
  const advice = 'A run cannot be continued without it: restore it from a copy, or start a new run.';
  return readJsonFile(runPaths(folder).run, advice);
}

/** Replaces `run.json`, as when `auto` has chosen; the caller holds the run's lock. */
export async function writeRunFile(paths: RunPaths, content: JsonValue): Promise<void> {
  await writeFileAtomic(paths.run, jsonText(content));
}

/** What a process killed inside `writeFileAtomic` leaves of this folder's own files. */
const LEFT_BY_ATOMIC_WRITE =
  /^(?:run\.json|metrics\.jsonl|text\.jsonl|(?:frozen|teacher)\.safetensors)\.[0-9a-f]{8}\.tmp$/;

async function withLock(paths: RunPaths, options: LockOptions, work: () => Promise<JsonValue>): Promise<Run> {
  const lock = await acquireLock(paths.folder, options);
  try {
    const content = await work();
    return { paths, content, notices: lock.notice === undefined ? [] : [lock.notice], lock };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function refuseIfUsed(folder: string): Promise<void> {
  // A process killed before it wrote run.json leaves its lock and parts of these files.
  const names = (await namesIn(folder, 'run')).filter(
    (name) => !/^lock(?:\..*)?$/.test(name) && !LEFT_BY_ATOMIC_WRITE.test(name),
  );
  if (names.includes('run.json')) {
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${folder} holds a run already. Continue it with ${option('resume', true)}, or choose another ${option('run')}.`,
    );
  }
  if (names.length > 0) {
    const some = names.slice(0, 3).join(', ');
    throw spelledError(
      UsageError,
      ({ option }) => `${folder} is no run and not empty (${some}). Choose another ${option('run')}, or empty it.`,
    );
  }
}
