import { EventQueue } from '../../base/event-queue.js';
import { toldWork } from '../../base/told-work.js';
import type { CoordinatorEvent } from '../events.js';
import type { ClusterStatus } from '../status.js';
import type { CoordinatorOptions, CoordinatorRun } from '../types.js';
import { type CoordinatorControl, coordinate } from './coordinate.js';

/**
 * Coordinates a run between machines: prepares its folder as `train` does, publishes what workers need, leads its rounds,
 * and saves what they commit. Where another coordinator leads the run already, it stands by.
 *
 * @throws (through `result` and the iteration) UsageError for wrong options; MeanfieldError when the text cannot be used,
 * the folder is in use, the message system fails for good, training diverges, or the disk is full
 */
export function startCoordinator(options: CoordinatorOptions): CoordinatorRun {
  const events = new EventQueue<CoordinatorEvent>();
  const stopping = new AbortController();
  const control: CoordinatorControl = { stopping: stopping.signal, evict: () => {}, status: () => undefined };
  const stop = () => stopping.abort();
  const work = coordinate(options, control, (event) => events.push(event));
  return {
    ...toldWork(work, events, stop),
    stop,
    evict: (worker, reason) => control.evict(worker, reason),
    status: (): ClusterStatus | undefined => control.status(),
  };
}
