import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MeanfieldError } from '../base/errors.js';
import { DivergedError } from '../local/threads.js';
import { startTraining, type TrainingRun } from '../local/train.js';
import type { ProgressEvent } from '../run/events.js';
import type { TrainOptions } from '../run/options.js';
import { readRunFile, runPaths } from '../run/run-folder.js';
import { parseRecord } from '../run/run-record.js';
import type { JobResult, LadderJob } from './jobs.js';
import type { LadderSettings } from './ladder.js';

/** Where and on what a job is trained. */
export interface JobPlace {
  readonly folder: string;
  readonly corpus: readonly string[];
  readonly settings: Pick<LadderSettings, 'context' | 'batchSize'>;
  /** Stops it after the round in progress, saved. */
  readonly signal: AbortSignal;
  readonly tell: (event: ProgressEvent) => void;
}

/** Checkpoints of a run: what a kill costs is at most that part of it. */
const CHECKPOINTS = 10;
const FEWEST_STEPS_BETWEEN = 200;

/**
 * Trains a job to its end, each replica on one thread, or goes on with it where its folder has a run.
 *
 * @returns undefined where the signal came first; the run can be gone on with
 */
export async function runJob(
  job: LadderJob,
  place: JobPlace,
): Promise<{ readonly result: JobResult; readonly fingerprint: string } | undefined> {
  const { folder, signal, tell } = place;
  const training = (await hasRun(folder))
    ? startTraining({ run: folder, resume: true, signal })
    : startTraining({ ...trainOptions(job, place), signal });
  try {
    const { valLoss, seconds, interrupted } = await followed(training, tell);
    if (interrupted) return undefined;
    return { result: { loss: valLoss, seconds }, fingerprint: await fingerprintOf(folder) };
  } catch (error) {
    if (signal.aborted) return undefined;
    if (job.kind === 'tune' && diverged(error))
      return { result: { loss: null, seconds: 0 }, fingerprint: await fingerprintOf(folder) };
    throw error;
  }
}

async function followed(training: TrainingRun, tell: (event: ProgressEvent) => void) {
  for await (const event of training) if (event.type === 'progress') tell(event);
  return training.result;
}

function trainOptions(
  { size, steps, rate, seed, averaging }: LadderJob,
  { folder, corpus, settings }: JobPlace,
): TrainOptions {
  const { layers, width, heads } = size;
  const { replicas, syncEvery } = averaging ?? { replicas: 1, syncEvery: undefined };
  const { context } = settings;
  const batchSize = settings.batchSize / replicas;
  return {
    ...{ corpus, run: folder, tokenizer: 'bytes', model: 'gpt2', layers, width, heads, context, batchSize, steps },
    ...{ lr: rate, seed, threads: 1, replicas, keep: 1, ...(syncEvery && { syncEvery }) },
    // The loss counts at the end alone: evaluations on the way would cost the short runs most.
    evalEvery: steps,
    checkpointEvery: Math.max(FEWEST_STEPS_BETWEEN, Math.ceil(steps / CHECKPOINTS)),
  };
}

async function hasRun(folder: string): Promise<boolean> {
  return access(runPaths(folder).run).then(
    () => true,
    () => false,
  );
}

function diverged(error: unknown): boolean {
  return error instanceof DivergedError || (error instanceof Error && error.cause instanceof DivergedError);
}

async function fingerprintOf(folder: string): Promise<string> {
  const path = runPaths(folder).run;
  const { data } = parseRecord(await readRunFile(folder), path).chosen;
  if (data === undefined) throw new MeanfieldError(`${path} is damaged: it names no data. Restore it from a copy.`);
  return data.fingerprint;
}

/** Takes away what a finished run needed to go on: its tokens and checkpoints. Its model and figures stay. */
export async function tidyJob(folder: string): Promise<void> {
  const { checkpoints } = runPaths(folder);
  for (const path of [join(folder, 'tokens'), checkpoints]) await rm(path, { recursive: true, force: true });
}
