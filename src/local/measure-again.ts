import { availableParallelism } from 'node:os';
import type { ParameterLayout } from '../model/layout.js';
import { type ArrangementComparison, compareLooks, measureSpeeds } from './arrangement.js';
import type { ReplicaHandle } from './replica-thread.js';
import type { TeamSetup } from './team.js';
import type { TeamState } from './team-state.js';

/** Threads that the cores leave each of so many replicas. */
const most = ({ replicas }: Pick<TeamSetup, 'replicas'>): number =>
  Math.max(1, Math.floor(availableParallelism() / replicas));

/**
 * Threads that a run may change to, its own first: all, or half of them while something else uses the cores. The number of
 * replicas stays, since it decides what a step is; that of threads changes no bit.
 */
export function threadChoices(setup: Pick<TeamSetup, 'replicas' | 'threads'>, all = most(setup)): number[] {
  return [...new Set([setup.threads, all, Math.ceil(all / 2)])];
}

/** What was measured, and what to go on with. */
export interface MeasuredAgain {
  readonly threads: number;
  /** Whether those are fewer than it may have. */
  readonly fewer: boolean;
  readonly message: string;
}

/**
 * Measures how many threads suit a run now, in turns, from the parameters that it has reached. Its own replicas must not
 * work meanwhile.
 */
export async function measureAgain(
  setup: TeamSetup,
  layout: ParameterLayout,
  { parameters }: Pick<TeamState, 'parameters'>,
  start?: () => ReplicaHandle,
): Promise<MeasuredAgain> {
  const choices = threadChoices(setup);
  const setups = choices.map((threads) => ({ ...setup, threads }));
  // Each started anew: beside one another and the run's state they might not fit in memory.
  const looks = await measureSpeeds(setups, layout, async () => parameters.slice(), false, start);
  const compared = compareLooks(looks);
  const threads = chosenThreads(choices, compared);
  const figures = choices.map((count, i) => `${count} ${Math.round(compared.medians[i]!)}/s`).join(', ');
  const verdict = threads === setup.threads ? `it stays at ${threads}` : `from here on ${threads}`;
  return {
    threads,
    fewer: threads < most(setup),
    message: `Steps took longer than before, so threads of a replica were measured again: ${figures}; ${verdict}.`,
  };
}

/** The fastest where that is clear, else what there is. */
function chosenThreads(choices: readonly number[], { clear, fastest }: ArrangementComparison): number {
  return choices[clear ? fastest : 0]!;
}
