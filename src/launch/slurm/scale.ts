import { MeanfieldError } from '../../base/errors.js';
import { hasEnded, readGroup, type SlurmTask } from './queue.js';
import type { RunSlurm } from './run-slurm.js';
import { submitScript } from './submit.js';

/** What {@link scaleGroup} did. */
export interface Scaling {
  readonly before: number;
  readonly workers: number;
  /** Number of the array that was added. */
  readonly added: string | null;
  /** Tasks that were told to leave, as `array_index`. */
  readonly cancelled: readonly string[];
}

/**
 * Brings a group to `workers` workers that wait or run. Slurm's arrays cannot grow, so more workers are another array
 * of the same script under the same name; of too many those that wait go first, then the latest.
 *
 * @param job the group's name, or the number of one of its arrays
 */
export async function scaleGroup(run: RunSlurm, job: string, workers: number): Promise<Scaling> {
  const tasks = await readGroup(run, job);
  const active = tasks.filter((task) => !hasEnded(task));
  if (workers > active.length) {
    const added = await submitScript(run, scriptOf(tasks), [`--array=0-${workers - active.length - 1}`]);
    return { before: active.length, workers, added, cancelled: [] };
  }
  const cancelled = active
    .sort(byExpendability)
    .slice(0, active.length - workers)
    .map(nameOf);
  if (cancelled.length > 0) await run('scancel', cancelled);
  return { before: active.length, workers, added: null, cancelled };
}

/** Tells every worker of a group to leave. @returns the arrays that had some left */
export async function cancelGroup(run: RunSlurm, job: string): Promise<string[]> {
  const active = (await readGroup(run, job)).filter((task) => !hasEnded(task));
  const arrays = [...new Set(active.map(({ array }) => array))];
  if (arrays.length > 0) await run('scancel', arrays);
  return arrays;
}

function scriptOf(tasks: readonly SlurmTask[]): string {
  const script = tasks[0]!.script;
  if (script.startsWith('/')) return script;
  throw new MeanfieldError(
    `Slurm names ${JSON.stringify(script)} as the job's script; expected an absolute path. Submit a new job instead.`,
  );
}

function nameOf({ array, index }: SlurmTask): string {
  return `${array}_${index}`;
}

function byExpendability(a: SlurmTask, b: SlurmTask): number {
  const waits = (task: SlurmTask) => (task.state === 'PENDING' || task.state === 'REQUEUED' ? 0 : 1);
  return waits(a) - waits(b) || Number(b.array) - Number(a.array) || b.index - a.index;
}
