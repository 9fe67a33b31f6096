import { EventQueue } from '../base/event-queue.js';
import { loadLatestCheckpoint } from '../run/checkpoint.js';
import type { OwnTrainEvent, OwnTrainResult, TrainEvent, TrainResult } from '../run/events.js';
import { OpenRun } from '../run/open-run.js';
import type { OwnTrainOptions, TrainOptions } from '../run/options.js';
import { prepareRun } from '../run/prepare-run.js';
import type { PreparedRun } from '../run/task.js';
import { arrangeRun } from './arrange-run.js';
import { RunningTraining } from './running-training.js';
import { loadState, NO_PROGRESS, type SavedState } from './saved-state.js';

/**
 * A run that trains. Its events can be read once, with `for await`; reading them is not needed. Leaving the loop early,
 * as by `break`, is {@link stop}.
 *
 * @category Training
 */
export interface TrainingRun<Event = TrainEvent, Result = TrainResult> extends AsyncIterable<Event> {
  /**
   * Fulfilled at the end, rejected with a MeanfieldError when the run cannot go on. A failure of which neither this nor
   * the events tell anybody is an unhandled rejection, which ends the process.
   */
  readonly result: Promise<Result>;
  /** Ends the run after the round in progress and saves; the result says `interrupted`. */
  stop(): void;
}

/**
 * Trains a language model from text on this machine, into a run folder.
 *
 * @throws (through `result` and the iteration) UsageError for wrong options; MeanfieldError when the text cannot be
 * used, the run is in use, training diverges, or the disk is full
 *
 * @example
 * import { train } from 'meanfield';
 *
 * const run = train({ corpus: ['examples/tinyshakespeare.txt'], run: 'runs/first', steps: 500 });
 * for await (const event of run) if (event.type === 'progress') console.log(event.step, event.loss);
 * console.log((await run.result).val_loss);
 *
 * @category Training
 */
export function startTraining(options: TrainOptions): TrainingRun;
/**
 * Trains a model of one's own, whose architecture, objective and samples a module exports: with replicas, averaging,
 * checkpoints and resumption like any other. Samples are counted in place of tokens; `model/` holds `model.safetensors`
 * with the parameters under their own names.
 *
 * @throws (through `result` and the iteration) UsageError for wrong options and for what the module exports that does
 * not fit; MeanfieldError when the run is in use, training diverges, or the disk is full
 *
 * @example
 * import { train } from 'meanfield';
 *
 * const run = train({ model: new URL('./digits.js', import.meta.url), run: 'runs/digits', replicas: 2, steps: 500 });
 * for await (const event of run) if (event.type === 'progress') console.log(event.samples, event.loss);
 * console.log((await run.result).best_val_loss);
 *
 * @category A model of one's own
 */
export function startTraining(options: OwnTrainOptions): TrainingRun<OwnTrainEvent, OwnTrainResult>;
export function startTraining(
  options: TrainOptions | OwnTrainOptions,
): TrainingRun | TrainingRun<OwnTrainEvent, OwnTrainResult> {
  const events = new EventQueue<TrainEvent>();
  const control = { stopping: false };
  const stopping = new AbortController();
  const work = train(options, control, stopping.signal, (event) => events.push(event));
  work.then(
    () => events.end(),
    (error: unknown) => events.end({ error }),
  );
  // A promise of its own, since `work` has a listener by now: a failure that nobody waits for is an unhandled rejection.
  const result = work.then((value) => value);
  const stop = () => {
    control.stopping = true;
    stopping.abort();
  };
  return {
    result,
    stop,
    async *[Symbol.asyncIterator]() {
      // Whoever reads the events hears of a failure there.
      result.catch(() => {});
      try {
        yield* events;
      } finally {
        // Of no effect at the end of the events; a reader that leaves before does not want the run to go on.
        stop();
      }
    },
  };
}

async function train(
  given: TrainOptions | OwnTrainOptions,
  control: { readonly stopping: boolean },
  stopping: AbortSignal,
  emit: (event: TrainEvent) => void,
): Promise<TrainResult> {
  const started = performance.now();
  const run = await OpenRun.open(given);
  let begun = run.resumed;
  try {
    for (const message of run.notices) emit({ type: 'notice', message });
    const prepared = await prepareRun(run, emit, stopping);
    const training = await begin(run, prepared, emit);
    begun = true;
    return await training.run(control, started);
  } finally {
    // What failed before it began leaves nothing that would stand in the way of the corrected command.
    if (!begun) await run.discard();
    else await run.release();
  }
}

async function begin(run: OpenRun, prepared: PreparedRun, emit: (event: TrainEvent) => void): Promise<RunningTraining> {
  // Its vectors are moved to the replicas: nothing may keep them for the length of the run.
  const saved = await lastSaved(run, prepared, emit);
  const arranged = await arrangeRun(run, prepared, emit, saved?.progress.step);
  return RunningTraining.start({ run, prepared, ...arranged, emit }, saved ?? firstState(prepared));
}

function firstState(prepared: PreparedRun): SavedState {
  const parameters = prepared.initial();
  return { progress: NO_PROGRESS, team: { round: 0, parameters, moments: [], samplers: [] } };
}

/** The content of the newest sound checkpoint of a run that is taken up again, if it has one. */
async function lastSaved(
  run: OpenRun,
  { learned, frozen }: PreparedRun,
  emit: (event: TrainEvent) => void,
): Promise<SavedState | undefined> {
  if (!run.resumed) return undefined;
  const { checkpoint, notices } = await loadLatestCheckpoint(run.paths.checkpoints);
  for (const message of notices) emit({ type: 'notice', message });
  if (!checkpoint) return undefined;
  try {
    return await loadState(checkpoint, learned.layout, frozen);
  } finally {
    await checkpoint.close();
  }
}
