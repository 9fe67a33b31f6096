import { EventQueue } from '../../base/event-queue.js';
import { toldWork } from '../../base/told-work.js';
import type { WorkerEvent } from '../events.js';
import type { WorkerOptions, WorkerRun } from '../types.js';
import { work } from './work.js';

/**
 * Takes part in a run on this machine: asks at the door, fetches configuration, tokens and the committed parameters,
 * trains, contributes, and reduces its share, until the run ends or it is told to leave.
 *
 * @throws (through `result` and the iteration) MeanfieldError when the run does not take it, and why
 */
export function startWorker(options: WorkerOptions): WorkerRun {
  const events = new EventQueue<WorkerEvent>();
  const leaving = new AbortController();
  const leave = () => leaving.abort();
  const part = work(options, (event) => events.push(event), leaving.signal);
  return { ...toldWork(part, events, leave), leave };
}
