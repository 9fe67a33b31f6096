import type { GridDown, GridUp } from './protocol.js';

/** How far the machine that coordinates is; changed by {@link tickHost} alone. */
export interface Hosting {
  readonly size: number;
  /** Seconds without a sign of life after which a machine counts as dead. */
  readonly patience: number;
  /** Machines by rank, in the order in which they came. */
  readonly machines: readonly Machine[];
  /** Steps of which every machine has taken all letters. */
  readonly steps: number;
  /** Whether it is over. */
  readonly over: boolean;
}

interface Machine {
  readonly host: string;
  /** When it was last heard, seconds. */
  readonly heard: number;
  readonly ready: boolean;
  /** Steps that it is through with. */
  readonly done: number;
  readonly result: Extract<GridUp, { type: 'result' }> | undefined;
}

export type HostEvent =
  | { readonly type: 'joined'; readonly host: string }
  | { readonly type: 'up'; readonly rank: number; readonly message: GridUp }
  | { readonly type: 'time' };

export type HostEffect =
  | { readonly type: 'say'; readonly to: readonly number[]; readonly message: GridDown }
  /** Letters of these steps, the last not among them, are needed no longer. */
  | { readonly type: 'forget'; readonly from: number; readonly steps: number }
  | { readonly type: 'refused'; readonly rank: number; readonly reason: string }
  | { readonly type: 'finished'; readonly results: readonly Extract<GridUp, { type: 'result' }>[] }
  | { readonly type: 'failed'; readonly reason: string };

export function newHosting(size: number, patience: number): Hosting {
  return { size, patience, machines: [], steps: 0, over: false };
}

/** What is said where a machine failed or was lost: a grid cannot go on without one. */
export const nameOf = (rank: number, { host }: { readonly host: string }): string => `Machine ${rank} (${host})`;

/**
 * The coordinating machine's part, pure: it waits until all are there, passes letters on under their true sender's rank,
 * and ends everything when one fails or is silent.
 *
 * @param now seconds of any clock
 */
export function tickHost(
  state: Hosting,
  event: HostEvent,
  now: number,
): { readonly state: Hosting; readonly effects: readonly HostEffect[] } {
  const nothing = { state, effects: [] };
  if (state.over) return nothing;
  switch (event.type) {
    case 'joined': {
      const machine: Machine = { host: event.host, heard: now, ready: false, done: 0, result: undefined };
      return { state: { ...state, machines: [...state.machines, machine] }, effects: [] };
    }
    case 'time': {
      const silent = state.machines.findIndex(({ heard }) => now - heard > state.patience);
      if (silent === -1) return nothing;
      return failed(
        state,
        `${nameOf(silent, state.machines[silent]!)} has not been heard for ${state.patience} seconds; a grid cannot go on without it`,
      );
    }
    case 'up':
      return hear(state, event.rank, event.message, now);
  }
}

function hear(before: Hosting, rank: number, message: GridUp, now: number) {
  const known = before.machines[rank];
  if (!known)
    return {
      state: before,
      effects: [{ type: 'refused', rank, reason: 'a word from a machine that there is not' } as const],
    };
  const change = (changes: Partial<Machine>): Hosting => ({
    ...before,
    machines: before.machines.map((machine, i) => (i === rank ? { ...machine, heard: now, ...changes } : machine)),
  });
  const state = change({});
  const refused = (reason: string) => ({ state, effects: [{ type: 'refused', rank, reason } as const] });
  const complete = before.machines.length === before.size;
  switch (message.type) {
    case 'beat': {
      if (message.begun) return { state, effects: [] };
      const next = change({ ready: true });
      const all = complete && next.machines.every(({ ready }) => ready);
      // To all when the last has come; to one that has not heard it, again.
      const first = all && before.machines.some(({ ready }) => !ready);
      const to = first ? next.machines.map((_, i) => i) : all ? [rank] : [];
      const effects: HostEffect[] = to.length > 0 ? [{ type: 'say', to, message: { type: 'begin' } }] : [];
      return { state: next, effects };
    }
    case 'letter': {
      const { to, kind, step, content } = message;
      if (!complete || before.machines.some(({ ready }) => !ready))
        return refused('a letter before all machines are there');
      if (to.some((other) => other >= before.size || other === rank) || new Set(to).size !== to.length) {
        return refused(`a letter to machines ${to.join(', ').slice(0, 100)}; there are 0 to ${before.size - 1}`);
      }
      if ('stored' in content && !content.stored.key.startsWith(`m${rank}/${step}/`)) {
        return refused(`a letter of step ${step} whose values lie at ${content.stored.key}`);
      }
      return {
        state,
        effects: [{ type: 'say', to, message: { type: 'letter', from: rank, kind, step, content } } as const],
      };
    }
    case 'done': {
      const next = change({ done: Math.max(known.done, message.step + 1) });
      const steps = complete ? Math.min(...next.machines.map(({ done }) => done)) : 0;
      const effects: HostEffect[] = steps > before.steps ? [{ type: 'forget', from: before.steps, steps }] : [];
      return { state: { ...next, steps: Math.max(before.steps, steps) }, effects };
    }
    case 'result': {
      if (rank === 0 && message.residual === null) return refused('a result of machine 0 without its residual');
      const next = change({ result: known.result ?? message });
      const results = next.machines.flatMap(({ result }) => result ?? []);
      if (results.length < before.size) return { state: next, effects: [] };
      const everyone = next.machines.map((_, i) => i);
      const effects: HostEffect[] = [
        { type: 'say', to: everyone, message: { type: 'end', reason: null } },
        { type: 'finished', results },
      ];
      return { state: { ...next, over: true }, effects };
    }
    case 'failed':
      return failed(state, `${nameOf(rank, known)} failed: ${message.reason}`);
  }
}

function failed(state: Hosting, reason: string) {
  const to = state.machines.map((_, i) => i);
  const effects: HostEffect[] = [
    { type: 'say', to, message: { type: 'end', reason } },
    { type: 'failed', reason },
  ];
  return { state: { ...state, over: true }, effects };
}
