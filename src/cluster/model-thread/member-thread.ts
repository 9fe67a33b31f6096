import { startThread } from '../../base/threads/start.js';
import { workerFile } from '../../base/worker-file.js';
import type { StepDone } from '../../local/messages.js';
import type { ModelCommands, ModelHandle } from './commands.js';

/** Starts a thread that holds the model: runs of a graph block their thread, and the network must never wait. */
export function startModelThread(file: URL = workerFile('member-worker')): ModelHandle {
  return startThread<ModelCommands, StepDone>(file);
}
