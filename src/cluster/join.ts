import { homedir } from 'node:os';
import { join as joinPath } from 'node:path';
import { MeanfieldError, messageOf, UsageError } from '../base/errors.js';
import { EventQueue } from '../base/event-queue.js';
import { makeFolder } from '../base/files/make-folder.js';
import { optionIssues } from '../base/option-issues.js';
import { schemaOf } from '../base/option-schema.js';
import type { ParsedOf } from '../base/option-table.js';
import { spelledError } from '../base/spelling.js';
import { toldWork } from '../base/told-work.js';
import { openDoor } from '../transport/trust/door.js';
import { decodeInvitation } from '../transport/trust/invitation.js';
import type { WorkerEvent, WorkerResult } from './events.js';
import { JOIN_OPTIONS, type JoinFlags } from './join-options.js';
import type { WorkerRun } from './types.js';
import type { WorkerLimits } from './worker/limits.js';
import { startWorker } from './worker/start.js';

/** What {@link join} takes, under the names of the command line in camel case. */
export interface JoinOptions extends JoinFlags {}

/**
 * A worker that takes part in a run. Its events can be read once, with `for await`; reading them is not needed. Leaving
 * the loop early, as by `break`, is {@link leave}, and so is the end of `await using`, which waits for the worker's end.
 */
export interface JoinedRun extends AsyncIterable<WorkerEvent>, AsyncDisposable {
  /** Rejected with a MeanfieldError that says why, when it is refused. */
  readonly result: Promise<WorkerResult>;
  /** Leaves politely: what it has contributed counts. */
  leave(): void;
}

/**
 * Takes part in a run on this machine, until it ends or until told to leave.
 *
 * @param invitation the line that `startCluster` gives, or `meanfield cluster start` prints
 * @throws (through `result` and the iteration) UsageError for wrong options or what is no invitation; MeanfieldError when
 * the run does not take this machine, and why
 *
 * @example
 * import { join } from 'meanfield/cluster';
 *
 * const worker = join(process.argv[2]!, { threads: 2, maxMemory: 4 });
 * for await (const event of worker) if (event.type === 'committed') console.log('round', event.round);
 * console.log((await worker.result).ended);
 */
export function join(invitation: string, options: JoinOptions = {}): JoinedRun {
  const events = new EventQueue<WorkerEvent>();
  let worker: WorkerRun | undefined;
  let left = false;
  const leave = () => {
    left = true;
    worker?.leave();
  };
  const work = async (): Promise<WorkerResult> => {
    const checked = checkedOptions(options);
    const { name, cache = userCache(), replicas, threads, device, offload, patience, approvalPatience } = checked;
    const decoded = decodeInvitation(invitation);
    await makeFolder(cache).catch((error: unknown) => {
      throw spelledError(
        MeanfieldError,
        ({ option }) => `${messageOf(error)} The text of runs is kept there; ${option('cache')} names another.`,
        { cause: error },
      );
    });
    const door = await openDoor(decoded);
    try {
      worker = startWorker({
        ...{ door, cache, replicas, device, patience, approvalPatience },
        limits: limitsOf(checked),
        ...(name !== undefined && { host: name }),
        ...(threads !== undefined && { threads }),
        ...(offload !== 'none' && { offload }),
      });
      if (left) worker.leave();
      for await (const event of worker) events.push(event);
      return await worker.result;
    } finally {
      await door.close();
    }
  };
  return { ...toldWork(work(), events, leave), leave };
}

function checkedOptions(options: JoinOptions): ParsedOf<typeof JOIN_OPTIONS> {
  const result = schemaOf(JOIN_OPTIONS).safeParse(options, { reportInput: true });
  if (result.success) return allTogether(result.data);
  const { error } = result;
  throw spelledError(UsageError, (spelling) => `Cannot join with these options: ${optionIssues(error, spelling)}.`);
}

/** @throws UsageError for what does not go together */
function allTogether(options: ParsedOf<typeof JOIN_OPTIONS>): ParsedOf<typeof JOIN_OPTIONS> {
  const { offload, device } = options;
  if (offload === 'none' || device === 'auto' || device === 'cpu') return options;
  throw spelledError(
    UsageError,
    ({ option }) =>
      `${option('offload', offload)} trains on the CPU, and ${option('device', device)} is another. Leave one of them out.`,
  );
}

function limitsOf({ dataFolder, dataHost, maxData, maxMemory }: ParsedOf<typeof JOIN_OPTIONS>): WorkerLimits {
  return {
    ...(dataFolder && { dataFolders: dataFolder }),
    ...(dataHost && { dataHosts: dataHost }),
    ...(maxData !== undefined && { maxDataBytes: 1e9 * maxData }),
    ...(maxMemory !== undefined && { maxMemoryBytes: 1e9 * maxMemory }),
  };
}

function userCache(): string {
  if (process.env.XDG_CACHE_HOME) return joinPath(process.env.XDG_CACHE_HOME, 'meanfield');
  try {
    return joinPath(homedir(), '.cache', 'meanfield');
  } catch (error) {
    // A container's user may have neither HOME nor an entry among the users.
    throw spelledError(
      MeanfieldError,
      ({ option }) =>
        `This user has no home folder to keep the text of runs in: name one with ${option('cache', 'FOLDER')}.`,
      { cause: error },
    );
  }
}
