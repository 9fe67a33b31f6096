import { loadLatestCheckpoint } from '../run/checkpoint.js';
import type { TrainEvent, TrainResult } from '../run/events.js';
import { OpenRun } from '../run/open-run.js';
import {
  checkSignal,
  isOffloaded,
  isSharded,
  type OwnTrainOptions,
  streamsBase,
  type TrainOptions,
} from '../run/options.js';
import { prepareRun } from '../run/prepare-run.js';
import type { PreparedRun } from '../run/task.js';
import { arrangeRun } from './arrange-run.js';
import { offloadedState } from './offloaded-team.js';
import { RunningTraining } from './running-training.js';
import { loadState, NO_PROGRESS, type SavedState, standingOf } from './saved-state.js';
import { settleMemory } from './settle-memory.js';

/** A run from its options to its result. */
export async function carryOut(
  given: TrainOptions | OwnTrainOptions,
  control: { readonly stopping: boolean },
  stopping: AbortSignal,
  emit: (event: TrainEvent) => void,
): Promise<TrainResult> {
  const started = performance.now();
  checkSignal(given);
  const { options, notices } = await withDeepSpeed(given);
  const run = await OpenRun.open(options);
  try {
    for (const message of [...notices, ...run.notices]) emit({ type: 'notice', message });
    const prepared = await prepareRun(run, emit, stopping, (known) => settleMemory(run, known, emit));
    const training = await begin(run, prepared, emit);
    run.begin();
    return await training.run(control, started);
  } finally {
    await run.end();
  }
}

/** Options with those of a configuration of DeepSpeed, where one is named. */
async function withDeepSpeed<O extends TrainOptions | OwnTrainOptions>(
  given: O,
): Promise<{ readonly options: O; readonly notices: readonly string[] }> {
  if (given?.deepspeed === undefined) return { options: given, notices: [] };
  const { optionsOfDeepSpeed } = await import('../run/deepspeed/to-options.js');
  const { options, notice } = await optionsOfDeepSpeed(given.deepspeed, given as TrainOptions);
  return { options: { ...given, ...options }, notices: [notice] };
}

async function begin(run: OpenRun, prepared: PreparedRun, emit: (event: TrainEvent) => void): Promise<RunningTraining> {
  // Its vectors are moved to the replicas: nothing may keep them for the length of the run.
  const saved = await lastSaved(run, prepared, emit);
  const arranged = await arrangeRun(run, prepared, emit, saved?.progress.step);
  return RunningTraining.start({ run, prepared, ...arranged, emit }, saved ?? (await firstState(run, prepared)));
}

async function firstState({ options, chosen }: OpenRun, prepared: PreparedRun): Promise<SavedState> {
  // A model on disk or in shards is made there, unless there is one already.
  const there = (isOffloaded(options) || isSharded(options, chosen)) && options.from === undefined;
  const parameters = there ? new Float32Array(0) : await prepared.initial();
  return { progress: NO_PROGRESS, team: { round: 0, parameters, moments: [], samplers: [] } };
}

/** The content of the newest sound checkpoint of a run that is taken up again, if it has one. */
async function lastSaved(
  run: OpenRun,
  { learned, frozen }: PreparedRun,
  emit: (event: TrainEvent) => void,
): Promise<SavedState | undefined> {
  if (!run.resumed) return undefined;
  if (isOffloaded(run.options) && !streamsBase(run.options)) return offloadedState(run.paths.offload);
  const { checkpoint, notices } = await loadLatestCheckpoint(run.paths.checkpoints);
  for (const message of notices) emit({ type: 'notice', message });
  if (!checkpoint) return undefined;
  try {
    // Their shards are read where they are shared out.
    if (isSharded(run.options, run.chosen)) return standingOf(checkpoint);
    return await loadState(checkpoint, learned.layout, frozen);
  } finally {
    await checkpoint.close();
  }
}
