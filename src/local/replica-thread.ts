import { type Handle, startThread } from '../base/threads/start.js';
import { workerFile } from '../base/worker-file.js';
import type { ReplicaCommands, StepDone } from './messages.js';

/** A replica as the driver of threads sees it: it takes one command after another, and a cancelled `train` fails. */
export type ReplicaHandle = Handle<ReplicaCommands, StepDone>;

/** Starts a thread for a replica. */
export function startReplicaThread(file: URL = workerFile('replica-worker')): ReplicaHandle {
  return startThread<ReplicaCommands, StepDone>(file);
}
