import { outliers } from './norms.js';
import type { Milliseconds, OpenRound, RoundOptions, RoundsState } from './types.js';

export type RoundDecision =
  /** `quorum`: whether enough have contributed for the grace window to run; `until`: when to decide again. */
  | {
      readonly action: 'wait';
      readonly quorum: boolean;
      readonly until: Milliseconds | null;
      readonly reason: string;
    }
  | { readonly action: 'merge'; readonly reason: string }
  /** These contributions are outliers: refuse them, then decide again. */
  | { readonly action: 'refuse'; readonly workers: readonly string[]; readonly reason: string }
  /** `late`: whether those who have not contributed are to blame. */
  | { readonly action: 'abort'; readonly late: boolean; readonly reason: string };

/**
 * Whether an open round is complete (rule 3): a pure function of the round, the options and the time.
 *
 * The quorum is a share of the counted members that are still there or have contributed, and never fewer than
 * `minimumMembers`; so each leave can complete a round, or make it impossible.
 */
export function decideRound(open: OpenRound, options: RoundOptions, now: Milliseconds): RoundDecision {
  let contributed = 0;
  let training = 0;
  let counted = 0;
  for (const member of open.members) {
    if (member.status === 'contributed') contributed++;
    else if (member.status === 'training') training++;
    else continue;
    if (member.counted) counted++;
  }
  const { grace, minimumMembers } = options;
  if (contributed + training < minimumMembers)
    return {
      action: 'abort',
      late: false,
      reason: `${contributed + training} of ${open.members.length} members are left, the least is ${minimumMembers}`,
    };
  if (training === 0) return complete(open, options, `all ${contributed} members have contributed`);

  const required = Math.max(minimumMembers, Math.ceil(options.quorum * counted - 1e-9));
  const quorum = contributed >= required;
  const count = `${contributed} of ${contributed + training} members have contributed, ${required} are required`;
  const graceEnd = quorum && grace !== null && open.quorumAt !== null ? open.quorumAt + grace : null;
  if (graceEnd !== null && graceEnd <= now)
    return complete(open, options, `${count}, and the grace of ${grace} ms is over`);
  const end = options.roundTimeout === null ? null : open.openedAt + options.roundTimeout;
  if (end !== null && end <= now) {
    const reason = `${count}, and the round's ${options.roundTimeout} ms are over`;
    return quorum ? complete(open, options, reason) : { action: 'abort', late: true, reason };
  }
  const until = graceEnd === null ? end : end === null ? graceEnd : Math.min(graceEnd, end);
  return { action: 'wait', quorum, until, reason: count };
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
      readonly until: Milliseconds | null;
      readonly reason: string;
    }
  | { readonly action: 'open' | 'stop'; readonly reason: string };

/**
 * Whether the next round can open: enough workers have shown that they hold the committed parameters, and all that
 * held the former ones have too, or the grace is over (rules 5 and 6). Idle connections count for nothing.
 */
export function decideGathering(
  state: Pick<RoundsState, 'workers' | 'since' | 'stopping'>,
  options: RoundOptions,
  now: Milliseconds,
): GatheringDecision {
  let ready = 0;
  let syncing = 0;
  for (const { status } of state.workers) {
    if (status === 'ready') ready++;
    else if (status === 'syncing') syncing++;
  }
  const limit = options.grace ?? options.roundTimeout;
  const end = limit === null ? null : state.since + limit;
  const over = end !== null && end <= now;
  const reason = `${ready} workers hold the committed parameters, ${syncing} have not yet said so, the least is ${options.minimumMembers}`;
  if (state.stopping) {
    if (syncing === 0 || over) return { action: 'stop', reason: 'the run was told to stop' };
    return { action: 'wait', reports: true, until: end, reason };
  }
  if (ready < options.minimumMembers) return { action: 'wait', reports: syncing > 0, until: null, reason };
  if (syncing > 0 && !over) return { action: 'wait', reports: true, until: end, reason };
  return { action: 'open', reason };
}
