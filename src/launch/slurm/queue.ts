import { MeanfieldError } from '../../base/errors.js';
import type { RunSlurm } from './run-slurm.js';

/** A task of an array: one worker. */
export interface SlurmTask {
  /** Number of the array it belongs to. */
  readonly array: string;
  /** Its index in the array. */
  readonly index: number;
  /** As Slurm names it: `PENDING`, `RUNNING`, `COMPLETED`, … */
  readonly state: string;
  /** Why it waits, or the machine it runs on, as Slurm says it. */
  readonly where: string;
  /** Name of the job: all arrays of one group share it. */
  readonly name: string;
  /** The batch script. */
  readonly script: string;
}

/** States from which a task does not come back. */
const ENDED = new Set([
  'BOOT_FAIL',
  'CANCELLED',
  'COMPLETED',
  'DEADLINE',
  'FAILED',
  'NODE_FAIL',
  'OUT_OF_MEMORY',
  'REVOKED',
  'TIMEOUT',
]);

export function hasEnded({ state }: SlurmTask): boolean {
  return ENDED.has(state);
}

/** Array, index, state, reason or machines, name, script; the last may hold the separator. */
const FORMAT = '%F|%K|%T|%R|%j|%o';

/**
 * The tasks of a group: those that wait and run, and those that ended within the last minutes.
 *
 * @param job the group's name, or the number of one of its arrays
 * @throws MeanfieldError when Slurm knows nothing of it
 */
export async function readGroup(run: RunSlurm, job: string): Promise<SlurmTask[]> {
  const name = /^\d+(?:_\d+)?$/.test(job) ? await nameOf(run, job) : job;
  const tasks = parseQueue(await run('squeue', [...LIST, `--name=${name}`]));
  if (tasks.length === 0) throw unknown(job);
  return tasks;
}

/** Names are chosen by users: only one's own jobs count. */
const LIST = ['--me', '--array', '--noheader', '--states=all', `--format=${FORMAT}`] as const;

async function nameOf(run: RunSlurm, job: string): Promise<string> {
  const found = await run('squeue', [...LIST, `--jobs=${job}`]).catch((error: unknown) => {
    if (error instanceof MeanfieldError && /Invalid job id/i.test(error.message)) return '';
    throw error;
  });
  const name = parseQueue(found)[0]?.name;
  if (name === undefined) throw unknown(job);
  return name;
}

function unknown(job: string): MeanfieldError {
  return new MeanfieldError(
    `Slurm knows no job ${job} of yours that waits, runs or ended within the last minutes.\n` +
      'squeue --me lists those there are; meanfield launch slurm INVITATION submits a new one.',
  );
}

/** Reads what squeue wrote. @throws MeanfieldError on a line of another form */
export function parseQueue(text: string): SlurmTask[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [array, index, state, where, name, ...script] = line.trim().split('|');
      // A lone job has no index: Slurm writes N/A.
      if (!/^\d+$/.test(array!) || !/^(?:\d+|N\/A)$/.test(index ?? '') || script.length === 0)
        throw new MeanfieldError(`squeue wrote a line of another form than ${FORMAT}: ${line.slice(0, 200)}`);
      return {
        array: array!,
        index: index === 'N/A' ? 0 : Number(index),
        state: state!,
        where: where!,
        name: name!,
        script: script.join('|'),
      };
    });
}
