import { find } from './order.js';
import type { Member, Milliseconds, OpenRound, RoundOptions, RoundsState, WorkerState } from './types.js';

/** Share of the rounds' time that may be waited in vain once the first savings, one grace, are spent. */
const SHARE = 1 / 64;
/** Who has contributed for the first time is trusted with such a share of the time that the round's quorum took. */
const FIRST = 1 / 16;
/** Who was worth a wait is waited for so many times as long the next time. */
const MARGIN = 1.5;

/**
 * How long a run waits for those that a round could go on without. Someone who takes part and then sends nothing must
 * not cost a grace each round, and a slow one whose work does come must not be left behind for that. So:
 *
 * - a wait that ends with what was waited for costs nothing, and its worker is waited for as long again;
 * - a wait in vain is paid for by who was waited for, out of what its contributions have earned it, and the rest out of
 *   the run's own savings: a grace at first, and a 64th of the time of the rounds committed since.
 *
 * Whoever comes, and however often under another name, can therefore cost a run one grace and 1.6 % of its time, and in
 * each life a sixteenth of a round for a first contribution that was sound.
 *
 * @returns milliseconds after the quorum for which a worker of such a credit is waited for
 */
export function allowance(credit: Milliseconds | null, savings: Milliseconds, grace: Milliseconds): Milliseconds {
  return Math.min(grace, (credit ?? 0) + savings);
}

/**
 * What the run may now spend on waiting for those that have earned nothing. Nothing, unless it is as much as a quorum
 * takes: a little each round would be of no use to anybody, a round's time now and then lets a slow newcomer in.
 */
export function savingsOf(state: Pick<RoundsState, 'options' | 'workers' | 'lost' | 'pace'>): Milliseconds {
  const { workers, lost, pace } = state;
  const { grace } = state.options;
  if (grace === null) return 0;
  // Before the first commit nobody has shown anything, and all are waited for alike.
  if (workers.every(({ credit }) => credit === null)) return grace;
  const left = Math.max(0, grace - lost);
  return left >= Math.min(grace, pace) ? left : 0;
}

/** Who counts for a quorum: none that has missed too many rounds, nor a newcomer beside those who have contributed. */
export function counting(workers: readonly WorkerState[], { idleRounds }: RoundOptions): (one: WorkerState) => boolean {
  const proven = workers.some(({ credit }) => credit !== null);
  return ({ missed, credit }) => missed < idleRounds && (!proven || credit !== null);
}

/** Has the round's waiting paid for, where there was some after the last contribution that came. */
export function payForContributions(state: RoundsState, now: Milliseconds): RoundsState {
  const { members, quorumAt } = state.open!;
  if (!members.some(({ status }) => status === 'contributed')) return state;
  const absent = members.flatMap(({ worker, status }) => (status === 'contributed' ? [] : worker));
  return pay(state, absent, now - Math.max(quorumAt ?? state.heardAt, state.heardAt));
}

/** Has the waiting for reports paid for. */
export function payForReports(state: RoundsState, now: Milliseconds): RoundsState {
  if (state.reportedAt === null) return state;
  const absent = state.workers.flatMap(({ worker, status }) => (status === 'syncing' ? worker : []));
  return pay(state, absent, now - Math.max(state.reportedAt, state.heardAt));
}

function pay(state: RoundsState, absent: readonly string[], vain: Milliseconds): RoundsState {
  const { grace } = state.options;
  if (grace === null || vain <= 0) return state;
  let covered = 0;
  const workers = state.workers.map((one) => {
    if (one.credit === null || !absent.includes(one.worker)) return one;
    covered = Math.max(covered, one.credit);
    return { ...one, credit: Math.max(0, one.credit - vain) };
  });
  return { ...state, workers, lost: Math.min(grace, state.lost + Math.max(0, vain - covered)) };
}

/** What a committed round has earned its contributors, and the run. */
export function earn(state: RoundsState, open: OpenRound, now: Milliseconds): RoundsState {
  const { grace } = state.options;
  if (grace === null) return state;
  const share = SHARE * Math.max(0, now - open.openedAt);
  const pace = Math.max(0, (open.quorumAt ?? state.since) - open.openedAt);
  const workers = state.workers.map((one): WorkerState => {
    const member = find(open.members, one.worker);
    if (member?.status !== 'contributed' || member.incarnation !== one.incarnation) return one;
    const credit = one.credit === null ? FIRST * pace : one.credit + share;
    return { ...one, credit: Math.min(grace, Math.max(credit, MARGIN * member.lateness)) };
  });
  return { ...state, workers, pace, lost: Math.max(0, state.lost - share) };
}

/** How long after the quorum this came, or what its sender reported before, whichever was waited for longer. */
export function latenessOf(member: Member, open: OpenRound, now: Milliseconds): Milliseconds {
  return Math.max(member.lateness, open.quorumAt === null ? 0 : now - open.quorumAt);
}
