import { EventQueue } from '../base/event-queue.js';
import { type ToldWork, toldWork } from '../base/told-work.js';
import { carryOutLadder } from './carry-out.js';
import type { ScaleEvent, ScaleResult } from './events.js';
import type { ScaleOptions } from './options.js';

/** A ladder in work. */
export interface RunningLadder extends ToldWork<ScaleEvent, ScaleResult> {
  /** Ends it after the rounds in progress, saved; the result says `interrupted`. */
  stop(): void;
}

/**
 * Trains a ladder of models on a text, fits a scaling law, predicts the loss of a larger run and trains that.
 *
 * @param dryRun only plans: measures this machine, tells the ladder, and leaves nothing behind
 * @throws (through `result` and the iteration) UsageError for wrong options, MeanfieldError for a text that cannot be used,
 * a ladder that is in use or damaged, or a disk that is full
 */
export function startScaling(options: ScaleOptions, dryRun = false): RunningLadder {
  const events = new EventQueue<ScaleEvent>();
  const stopping = new AbortController();
  const stop = () => stopping.abort();
  const work = carryOutLadder(options, dryRun, stopping.signal, (event) => events.push(event));
  return { ...toldWork(work, events, stop), stop };
}
