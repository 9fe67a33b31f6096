import { compareNames } from '../../rounds/order.js';
import type { RunState } from './run-state.js';

/** Names that a run remembers: its members, who was let in and has not come yet, who is gone and may come back. */
export const MOST_NAMES = 2048;

/**
 * Which names are to be forgotten so that so many more can be given: first those that were thrown out, then those that
 * never came, then those that are gone, the older first.
 *
 * @returns undefined when even that makes no room, since members are never forgotten
 */
export function makeRoom(state: RunState, coming: number): readonly string[] | undefined {
  const { workers, evicted } = state.rounds;
  const members = new Set(workers.map(({ worker }) => worker));
  const gone = new Set(state.rounds.departed.map(({ worker }) => worker));
  const absent = [...knownNames(state)].filter((name) => !members.has(name));
  const surplus = members.size + absent.length + coming - MOST_NAMES;
  if (surplus <= 0) return [];
  if (surplus > absent.length) return undefined;
  const rank = (name: string) => (evicted.includes(name) ? 0 : gone.has(name) ? 2 : 1);
  absent.sort((a, b) => rank(a) - rank(b) || numberOf(a) - numberOf(b) || compareNames(a, b));
  return absent.slice(0, surplus);
}

/** All that the run has let in and not forgotten. */
export function knownNames({ hosts, rounds }: RunState): ReadonlySet<string> {
  return new Set([...Object.keys(hosts), ...[...rounds.workers, ...rounds.departed].map(({ worker }) => worker)]);
}

/** Without what is kept of those who are gone for good. Who was evicted stays so. */
export function withoutNames(state: RunState, names: readonly string[]): RunState {
  if (names.length === 0) return state;
  const out = new Set(names);
  const hosts = Object.fromEntries(Object.entries(state.hosts).filter(([name]) => !out.has(name)));
  const departed = state.rounds.departed.filter(({ worker }) => !out.has(worker));
  return { ...state, hosts, rounds: { ...state.rounds, departed } };
}

/** Names end in numbers, which only rise. */
function numberOf(name: string): number {
  return Number(/(\d+)$/.exec(name)?.[1] ?? 0);
}
