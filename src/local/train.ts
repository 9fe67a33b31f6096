import { EventQueue } from '../base/event-queue.js';
import { toldWork } from '../base/told-work.js';
import type { OwnTrainEvent, OwnTrainResult, TrainEvent, TrainResult } from '../run/events.js';
import type { OwnTrainOptions, TrainOptions } from '../run/options.js';

/**
 * A run that trains. Its events can be read once, with `for await`; reading them is not needed. Leaving the loop early,
 * as by `break`, is {@link stop}, and so is the end of `await using`, which waits for the run's end.
 *
 * @category Training
 */
export interface TrainingRun<Event = TrainEvent, Result = TrainResult> extends AsyncIterable<Event>, AsyncDisposable {
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
 * console.log((await run.result).valLoss);
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
 * console.log((await run.result).bestValLoss);
 *
 * @category A model of one's own
 */
export function startTraining(options: OwnTrainOptions): TrainingRun<OwnTrainEvent, OwnTrainResult>;
export function startTraining(
  options: TrainOptions | OwnTrainOptions,
): TrainingRun | TrainingRun<OwnTrainEvent, OwnTrainResult> {
  const signal = (options as TrainOptions | undefined)?.signal;
  const events = new EventQueue<TrainEvent>();
  const control = { stopping: false };
  const stopping = new AbortController();
  const stop = () => {
    control.stopping = true;
    stopping.abort();
  };
  if (signal?.aborted) stop();
  signal?.addEventListener?.('abort', stop);
  // Loaded when it is needed: it brings the engine.
  const work = import('./carry-out.js')
    .then(({ carryOut }) => carryOut(options, control, stopping.signal, (event) => events.push(event)))
    .finally(() => signal?.removeEventListener?.('abort', stop));
  return { ...toldWork(work, events, stop), stop } as TrainingRun | TrainingRun<OwnTrainEvent, OwnTrainResult>;
}
