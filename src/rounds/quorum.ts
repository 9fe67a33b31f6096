import { outliers } from './norms.js';
import { find } from './order.js';
import { allowance, counting, savingsOf } from './patience.js';
import type { Milliseconds, OpenRound, RoundOptions, RoundsState } from './types.js';

export type RoundDecision =
  /** `quorum`: whether enough have contributed for the others' time to run; `until`: when to decide again. */
  | {
      readonly action: 'wait';
      readonly quorum: boolean;
      readonly until: Milliseconds | null;
      readonly reason: string;
    }
  | { readonly action: 'merge'; readonly reason: string }
  /** These contributions are outliers: refuse them, then decide again. */
  | { readonly action: 'refuse'; readonly workers: readonly string[]; readonly reason: string }
  /**
   * `late`: whether those who have not contributed are to blame; `gaveUp`: whether they are newcomers who were not waited
   * for any longer.
   */
  | { readonly action: 'abort'; readonly late: boolean; readonly gaveUp?: true; readonly reason: string };

/**
 * Whether the open round is complete (rule 3): a pure function of the state and the time.
 *
 * The quorum is a share of the counted members that are still there or have contributed, by whom alone it is reached,
 * and never fewer than `minimumMembers` of all; so each leave can complete a round, or make it impossible. Of the others
 * each is waited for as long as it deserves, see `patience.ts`; all that have come by then count.
 *
 * A round that newcomers alone keep from its quorum is aborted once they have had twice the time of those who have
 * contributed, if others are ready: else a few that never contribute could fill it, and keep those out for
 * its whole time-out. Once between two commits, so that the run never aborts round after round of slow ones.
 */
export function decideRound(
  state: Pick<RoundsState, 'options' | 'workers' | 'heardAt' | 'committed' | 'gaveUp'> & { readonly open: OpenRound },
  now: Milliseconds,
): RoundDecision {
  const { open, options } = state;
  let contributed = 0;
  let training = 0;
  let counted = 0;
  let delivered = 0;
  let patience = 0;
  for (const member of open.members) {
    if (member.status === 'contributed') contributed++;
    else if (member.status === 'training') {
      training++;
      patience = Math.max(patience, member.patience);
    } else continue;
    if (!member.counted) continue;
    counted++;
    if (member.status === 'contributed') delivered++;
  }
  const { grace, minimumMembers } = options;
  if (contributed + training < minimumMembers)
    return {
      action: 'abort',
      late: false,
      reason: `${contributed + training} of ${open.members.length} members are left, the least is ${minimumMembers}`,
    };
  if (training === 0) return complete(open, options, `all ${contributed} members have contributed`);

  const least = leastOf(counted, options);
  const required = Math.max(minimumMembers, least);
  const quorum = contributed >= required && delivered >= least;
  const count = `${contributed} of ${contributed + training} members have contributed, ${required} are required`;
  const graceEnd = quorum && grace !== null && open.quorumAt !== null ? open.quorumAt + patience : null;
  if (graceEnd !== null && graceEnd <= now)
    return complete(open, options, `${count}, and the grace of ${Math.round(patience)} ms is over`);
  const hopeless = !quorum && grace !== null && contributed > 0 && couldDoBetter(state);
  const giveUp = hopeless ? state.heardAt + Math.min(grace, state.heardAt - open.openedAt) : null;
  if (giveUp !== null && giveUp <= now)
    return { action: 'abort', late: true, gaveUp: true, reason: `${count}, nobody else comes, and others are ready` };
  const end = options.roundTimeout === null ? null : open.openedAt + options.roundTimeout;
  if (end !== null && end <= now) {
    const reason = `${count}, and the round's ${options.roundTimeout} ms are over`;
    return contributed >= required ? complete(open, options, reason) : { action: 'abort', late: true, reason };
  }
  const until = Math.min(...[graceEnd, giveUp, end].map((at) => at ?? Number.POSITIVE_INFINITY));
  return { action: 'wait', quorum, until: Number.isFinite(until) ? until : null, reason: count };
}

/** Whether those who still owe have never contributed to anything, and others are ready who are no members. */
function couldDoBetter({
  open,
  workers,
  committed,
  gaveUp,
}: Pick<RoundsState, 'workers' | 'committed' | 'gaveUp'> & { readonly open: OpenRound }): boolean {
  if (gaveUp > committed.round) return false;
  let others = false;
  for (const { worker, incarnation, status, credit } of workers) {
    const member = find(open.members, worker);
    if (member?.incarnation !== incarnation) others ||= status === 'ready';
    else if (member.status === 'training' && credit !== null) return false;
  }
  return others;
}

/** How many of those that count make a quorum: also the least of a round, if they can, since newcomers may be useless. */
function leastOf(counted: number, { quorum, minimumMembers }: RoundOptions): number {
  return Math.max(Math.ceil(quorum * counted - 1e-9), Math.min(counted, minimumMembers));
}

/** Merge, unless some of what is there is an outlier (rule 7). */
function complete(open: OpenRound, options: RoundOptions, reason: string): RoundDecision {
  if (options.outlierFactor === null) return { action: 'merge', reason };
  const contributors = open.members.filter((member) => member.status === 'contributed');
  const norms = contributors.map((member) => member.contribution!.norm);
  const out = outliers(norms, options.outlierFactor);
  if (out.length === 0) return { action: 'merge', reason };
  return {
    action: 'refuse',
    workers: out.map((i) => contributors[i]!.worker),
    reason: `the norm is more than ${options.outlierFactor} times the round's median`,
  };
}

export type GatheringDecision =
  | {
      readonly action: 'wait';
      /** Whether it is reports that are waited for; else it is more members. */
      readonly reports: boolean;
      /** Whether enough have reported for the others' time to run. */
      readonly quorum: boolean;
      readonly until: Milliseconds | null;
      readonly reason: string;
    }
  | { readonly action: 'open' | 'stop'; readonly reason: string };

/**
 * Whether the next round can open: enough workers have shown that they hold the committed parameters, and all that
 * held the former ones have too, or their time is over (rules 5 and 6): a grace, and after a quorum of reports what each
 * deserves, see `patience.ts`. Idle connections count for nothing.
 */
export function decideGathering(
  state: Pick<RoundsState, 'options' | 'workers' | 'since' | 'stopping' | 'reportedAt' | 'lost' | 'pace'>,
  now: Milliseconds,
): GatheringDecision {
  const { options, workers, reportedAt } = state;
  const { grace } = options;
  const counts = counting(workers, options);
  const savings = savingsOf(state);
  let ready = 0;
  let syncing = 0;
  let counted = 0;
  let reported = 0;
  let patience = 0;
  for (const worker of workers) {
    if (worker.status === 'ready') ready++;
    else if (worker.status === 'syncing') {
      syncing++;
      if (grace !== null) patience = Math.max(patience, allowance(worker.credit, savings, grace));
    } else continue;
    if (!counts(worker)) continue;
    counted++;
    if (worker.status === 'ready') reported++;
  }
  const quorum = ready >= options.minimumMembers && reported >= leastOf(counted, options);
  const limit = grace ?? options.roundTimeout;
  const latest = limit === null ? null : state.since + limit;
  const deserved = quorum && grace !== null && reportedAt !== null && !state.stopping ? reportedAt + patience : null;
  const end = latest === null || deserved === null ? latest : Math.min(latest, deserved);
  const over = end !== null && end <= now;
  const reason = `${ready} workers hold the committed parameters, ${syncing} have not yet said so, the least is ${options.minimumMembers}`;
  if (state.stopping) {
    if (syncing === 0 || over) return { action: 'stop', reason: 'the run was told to stop' };
    return { action: 'wait', reports: true, quorum, until: end, reason };
  }
  if (ready < options.minimumMembers) return { action: 'wait', reports: syncing > 0, quorum, until: null, reason };
  if (syncing > 0 && !over) return { action: 'wait', reports: true, quorum, until: end, reason };
  return { action: 'open', reason };
}
