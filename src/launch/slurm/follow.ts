import { setTimeout as sleep } from 'node:timers/promises';
import { hasEnded, readGroup, type SlurmTask } from './queue.js';
import type { RunSlurm } from './run-slurm.js';

/** How a group stands. */
export interface GroupState {
  /** How many tasks are in each of Slurm's states. */
  readonly states: Readonly<Record<string, number>>;
  /** Workers that wait, run or end just now. */
  readonly active: number;
  /** Why tasks wait, as Slurm says it: `Resources`, `Priority`, … */
  readonly waitingFor: readonly string[];
}

/**
 * How a group stands, whenever that changes, until none of its workers is left or `signal` is aborted.
 *
 * @param every milliseconds between two looks: each asks Slurm's controller
 */
export async function* followGroup(
  run: RunSlurm,
  job: string,
  every: number,
  signal?: AbortSignal,
): AsyncGenerator<GroupState> {
  let last = '';
  while (!signal?.aborted) {
    const state = groupState(await readGroup(run, job));
    const text = JSON.stringify(state);
    if (text !== last) yield state;
    last = text;
    if (state.active === 0) return;
    await sleep(every, undefined, signal && { signal }).catch(() => {});
  }
}

export function groupState(tasks: readonly SlurmTask[]): GroupState {
  const states: Record<string, number> = {};
  for (const { state } of tasks) states[state] = (states[state] ?? 0) + 1;
  const waiting = tasks
    .filter(({ state }) => state === 'PENDING')
    .map(({ where }) => where.replace(/^\((.*)\)$/, '$1'));
  return {
    states: Object.fromEntries(Object.entries(states).sort()),
    active: tasks.filter((task) => !hasEnded(task)).length,
    waitingFor: [...new Set(waiting)].sort(),
  };
}

/** `3 running, 1 pending (Resources)`. */
export function groupText({ states, waitingFor }: GroupState): string {
  const parts = Object.entries(states).map(([state, count]) => `${count} ${state.toLowerCase().replaceAll('_', ' ')}`);
  return `${parts.join(', ')}${waitingFor.length > 0 ? ` (${waitingFor.join(', ')})` : ''}`;
}
