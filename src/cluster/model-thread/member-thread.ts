import { startThread } from '../../base/threads/start.js';
import { workerFile } from '../../base/worker-file.js';
import type { StepDone } from '../../local/messages.js';
import type { HostCommands, MemberHandle } from './commands.js';

/** Starts a thread that holds the model: runs of a graph block their thread, and the network must never wait. */
export function startMemberThread(file: URL = workerFile('member-worker')): MemberHandle {
  return startThread<HostCommands, StepDone>(file);
}
