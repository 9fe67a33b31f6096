/* A worker whose model is trained layer by layer, with some or all of it on disk: what of a run it can take part in. */
import { mkdtemp, readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { encodedBytes } from '../../averaging/formats/index.js';
import { cutFragments } from '../../averaging/fragments.js';
import { MeanfieldError } from '../../base/errors.js';
import { asWriteError } from '../../base/files/atomic.js';
import { exists } from '../../base/files/exists.js';
import { makeFolder } from '../../base/files/make-folder.js';
import { gigabytes, type Term } from '../../base/gigabytes.js';
import { spelledError } from '../../base/spelling.js';
import { holdsOnDisk, offloadNeed, PLACEMENTS, termsOf } from '../../local/offload-need.js';
import type { Model } from '../../model/model.js';
import { createObjective } from '../../objectives/create.js';
import { acquireLock } from '../../run/lock.js';
import { contextOf } from '../memory.js';
import type { Configuration, RunSetup } from '../protocol/configuration.js';

/** What of its model a worker has on disk. */
export type WorkerOffload = keyof typeof PLACEMENTS;

/** What of a run is of models that are in memory as a whole: the option by which it was started, and why. */
const OF_WHOLE: readonly (readonly [option: string, is: (run: RunSetup) => boolean, why: string])[] = [
  ['optimizer', ({ optimizer }) => optimizer.muon !== undefined, 'it has AdamW alone: adamw'],
  ['moments', ({ averageMoments }) => averageMoments, 'each keeps its own: keep'],
  ['fragments', ({ cluster }) => cluster.fragments > 1, 'the model is exchanged as a whole: 1'],
  ['dropout', ({ dropout = 0 }) => dropout > 0, 'it drops nothing'],
  ['precision', ({ precision = 'fp32' }) => precision !== 'fp32', 'it computes in fp32'],
  ['lrScale', ({ optimizer }) => optimizer.rateRanges !== undefined, 'all learn at one rate'],
  ['adapter', ({ adapter }) => adapter !== undefined, 'all parameters are trained'],
  ['freeze', ({ freeze = [] }) => freeze.length > 0, 'all parameters are trained'],
];

/** @throws MeanfieldError naming what of a run cannot be trained layer by layer */
export function requireLayered({ setup }: Pick<Configuration, 'setup'>, offload: WorkerOffload): void {
  const wrong = OF_WHOLE.filter(([, is]) => is(setup));
  if (wrong.length === 0) return;
  throw spelledError(MeanfieldError, ({ option }) => {
    const list = wrong.map(([name, , why]) => `${option(name)} (${why})`).join(', ');
    return (
      `${option('offload', offload)} trains layer by layer, which does not go with how this run was started: ${list}. ` +
      `Join without ${option('offload')}, or start the run without these.`
    );
  });
}

/** Parts that are on their way at once, and the copies of a shard while it is encoded, summed or applied. */
const MESSAGES = 2 * 64e6;
const SHARDS = 8;
/** Freed memory goes back late (see `local/ways.ts`). */
const SPARE = 1.25;

/** What a worker's replicas take that are trained layer by layer, in bytes. */
export interface WorkerNeed {
  readonly terms: readonly Term[];
  readonly total: number;
  readonly disk: number;
}

/** @throws MeanfieldError for a model that cannot be trained layer by layer */
export function layeredNeed(
  model: Model,
  setup: RunSetup,
  {
    replicas,
    threads,
    offload,
  }: { readonly replicas: number; readonly threads: number; readonly offload: WorkerOffload },
): WorkerNeed {
  const { batchSize, gradAccum, seed, cluster, outer } = setup;
  const learned = createObjective(setup.objective, { model, context: contextOf(model, setup), seed });
  const need = offloadNeed(learned as never, { batchSize, gradAccum, threads }, PLACEMENTS[offload]);
  const { size } = model.trained;
  const shards = cutFragments(model.trained, cluster.fragments).flatMap((one) => one.shards);
  const longest = 4 * Math.max(...shards.map(({ start, end }) => end - start));
  const committed = 1 + (outer.method === 'nesterov' ? 1 : 0) + (cluster.format === 'int4' ? 1 : 0);
  const message = encodedBytes(cluster.format, size);
  const onDisk = holdsOnDisk(PLACEMENTS[offload]);
  // In memory: the committed vectors, a result and what it is decoded to, and the contribution.
  const exchange = onDisk ? SHARDS * longest + MESSAGES : 4 * size * (committed + 1) + 2 * message + SHARDS * longest;
  const terms = [...termsOf(need), [exchange, 'for the exchange'] as const].map(
    ([bytes, what]): Term => [replicas * bytes, what],
  );
  // There are no checkpoints, so the store's second file stays empty; a snapshot is fetched before it is taken.
  const gradient = onDisk ? 4 * size : 0;
  const files = onDisk ? 4 * size * 2 * committed + 4 * message : 0;
  return {
    terms,
    total: Math.ceil(SPARE * terms.reduce((sum, [bytes]) => sum + bytes, 0)),
    disk: replicas * ((need.disk - gradient - need.statesDisk) / 2 + gradient + need.statesDisk + files),
  };
}

/** @param memory bytes @throws MeanfieldError with the sum, where it is more than there are */
export function requireLayeredMemory({ terms, total }: WorkerNeed, memory: number): void {
  if (total <= memory) return;
  const parts = terms.map(([bytes, what]) => `${gigabytes(bytes, 2)} ${what}`).join(', ');
  throw spelledError(
    MeanfieldError,
    ({ option }) =>
      `The run needs ${parts}, and some to spare: ${gigabytes(total, 2)}; it may have ${gigabytes(memory, 2)}. Use ` +
      `${option('offload', 'all')}, fewer ${option('replicas')} or ${option('threads')}, or a machine with more, or allow ` +
      `more by ${option('maxMemory')} where that was given.`,
  );
}

/** A folder that this process alone uses, and that goes with it. */
export interface Scratch {
  readonly folder: string;
  remove(): Promise<void>;
}

/**
 * Makes a folder for vectors in the worker's cache; what processes that were killed have left there is deleted first.
 *
 * @param bytes that will be in it
 * @throws MeanfieldError when it cannot be made, or the disk has not so much room
 */
export async function makeScratch(cache: string, bytes: number): Promise<Scratch> {
  const all = join(cache, 'offload');
  await makeFolder(all);
  for (const name of await readdir(all)) await removeLeft(join(all, name));
  const { bavail, bsize } = await statfs(all);
  if (bavail * bsize < bytes)
    throw spelledError(
      MeanfieldError,
      ({ option }) =>
        `${all} would take ${gigabytes(bytes)} of disk, and ${gigabytes(bavail * bsize)} are free: for parameters, moments ` +
        `and gradient, what is committed, and what is exchanged. Free some space, or name another disk by ${option('cache')}.`,
    );
  const folder = await mkdtemp(join(all, 'worker-')).catch((error: unknown) => {
    throw asWriteError(error, all);
  });
  const lock = await acquireLock(folder);
  return {
    folder,
    remove: async () => {
      await rm(folder, { recursive: true, force: true });
      await lock.release();
    },
  };
}

/** Of one whose process lives, nothing. */
async function removeLeft(folder: string): Promise<void> {
  if (!(await exists(join(folder, 'lock')))) return;
  try {
    await acquireLock(folder);
  } catch (error) {
    if (error instanceof MeanfieldError) return;
    throw error;
  }
  await rm(folder, { recursive: true, force: true });
}
