import type { Waiting } from './events.js';
import { decideGathering, decideRound } from './quorum.js';
import type { Milliseconds, RoundsState } from './types.js';

const LONG_AGO = Number.NEGATIVE_INFINITY;

/** What the run waits for, for whom, until when and what happens then; `null` when it is over. */
export function waitingFor(state: RoundsState): Waiting | null {
  const summary = summarize(state);
  if (summary === null) return null;
  return { type: 'waiting', ...summary, for: names(state, summary.kind) };
}

/** As {@link waitingFor}, only where it differs from the state before in more than the names. */
export function waitingChanged(before: RoundsState, after: RoundsState): Waiting | null {
  const [a, b] = [summarize(before), summarize(after)];
  const same = a?.kind === b?.kind && a?.since === b?.since && a?.until === b?.until && a?.afterwards === b?.afterwards;
  return same ? null : waitingFor(after);
}

/**
 * When the driver owes the machine its next `timer` event; `null`: never. A timer that comes later does no harm, but
 * messages that are already there must be delivered before it, else live workers are taken for dead.
 */
export function nextDeadline(state: RoundsState): Milliseconds | null {
  let next = summarize(state)?.until ?? Number.POSITIVE_INFINITY;
  const { heartbeatTimeout } = state.options;
  if (heartbeatTimeout !== null && state.phase !== 'stopped')
    for (const { lastSeen } of state.workers) next = Math.min(next, lastSeen + heartbeatTimeout);
  return Number.isFinite(next) ? next : null;
}

function summarize(state: RoundsState): Omit<Waiting, 'type' | 'for'> | null {
  const { phase, open, since } = state;
  switch (phase) {
    case 'stopped':
      return null;
    case 'merging':
      return { kind: 'merge', since, until: null, afterwards: `round ${open!.round} is committed` };
    case 'training': {
      const decision = decideRound({ ...state, open: open! }, LONG_AGO);
      const wait = decision.action === 'wait' ? decision : { quorum: true, until: null };
      const afterwards =
        wait.quorum || wait.until === null
          ? `round ${open!.round} is merged with the contributions that are there`
          : `round ${open!.round} is aborted unless enough have contributed`;
      return { kind: 'contributions', since: open!.openedAt, until: wait.until, afterwards };
    }
    case 'gathering': {
      const decision = decideGathering(state, LONG_AGO);
      const wait = decision.action === 'wait' ? decision : { reports: false, until: null };
      const afterwards = state.stopping ? 'the run ends' : `round ${state.round + 1} opens with those that are ready`;
      return { kind: wait.reports ? 'reports' : 'members', since, until: wait.until, afterwards };
    }
  }
}

function names(state: RoundsState, kind: Waiting['kind']): string[] {
  switch (kind) {
    case 'merge':
      return [];
    case 'contributions':
      return state.open!.members.flatMap((member) => (member.status === 'training' ? member.worker : []));
    case 'reports':
      return state.workers.flatMap((worker) => (worker.status === 'syncing' ? worker.worker : []));
    case 'members':
      return state.workers.flatMap((worker) => (worker.status === 'ready' ? [] : worker.worker));
  }
}
