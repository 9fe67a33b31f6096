import type { TrainEvent } from './events.js';
import type { OpenRun } from './open-run.js';
import { prepareData } from './prepare-model.js';
import { prepareOwn } from './prepare-own.js';
import type { PreparedRun, Settle } from './task.js';

/**
 * Makes ready what a run learns, and from what.
 *
 * @param signal ends it while a text is read or turned into tokens
 * @param settle decides how it is trained
 * @throws MeanfieldError when the samples cannot be used, or on resuming have changed
 * @throws StoppedEarly when the signal came first
 */
export async function prepareRun(
  run: OpenRun,
  emit: (event: TrainEvent) => void,
  signal?: AbortSignal,
  settle?: Settle,
): Promise<PreparedRun> {
  const { module } = run.options;
  if (module === undefined) return prepareData(run, emit, signal, settle);
  const own = await prepareOwn(run, module);
  await settle?.(own);
  return own;
}
