import type { TrainEvent } from './events.js';
import type { OpenRun } from './open-run.js';
import { prepareData } from './prepare-model.js';
import { prepareOwn } from './prepare-own.js';
import type { PreparedRun } from './task.js';

/**
 * Makes ready what a run learns, and from what.
 *
 * @param signal ends it while a text is read or turned into tokens
 * @throws MeanfieldError when the samples cannot be used, or on resuming have changed
 * @throws StoppedEarly when the signal came first
 */
export function prepareRun(
  run: OpenRun,
  emit: (event: TrainEvent) => void,
  signal?: AbortSignal,
): Promise<PreparedRun> {
  const { options } = run;
  return options.module === undefined ? prepareData(run, emit, signal) : prepareOwn(run, options.module);
}
