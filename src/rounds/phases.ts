import type { RefusalCode, Step } from './events.js';
import { find, withItem, withoutItem } from './order.js';
import { paceSteps } from './pace.js';
import { allowance, counting, earn, payForContributions, payForReports, savingsOf } from './patience.js';
import { refusal, standing, step } from './step.js';
import type { Member, MemberStatus, Milliseconds, RoundsState, WorkerState } from './types.js';

/** Opens the next round with the workers that are ready; its members are frozen from here on (rule 2). */
export function openRound(gathered: RoundsState, now: Milliseconds): Step {
  const state = payForReports(gathered, now);
  const { grace } = state.options;
  const savings = savingsOf(state);
  const counts = counting(gathered.workers, state.options);
  const ready = state.workers.filter((worker) => worker.status === 'ready');
  const steps = paceSteps(ready, state.steps, state.options.adaptiveSteps);
  const members = ready.map(
    (one, i): Member => ({
      worker: one.worker,
      incarnation: one.incarnation,
      steps: steps[i]!,
      weight: null,
      counted: counts(one),
      patience: grace === null ? 0 : allowance(one.credit, savings, grace),
      lateness: one.lateness,
      status: 'training',
      contribution: null,
    }),
  );
  const round = state.round + 1;
  const next: RoundsState = {
    ...state,
    round,
    phase: 'training',
    since: now,
    heardAt: now,
    reportedAt: null,
    open: { round, openedAt: now, quorumAt: null, members },
    // Who has kept the others waiting in vain does so no more, until it has reported.
    workers: state.workers.map((worker) => (worker.status === 'syncing' ? { ...worker, status: 'joined' } : worker)),
  };
  return step(next, `round ${round} opens with ${members.length} members`, startRound(next, members));
}

/** The invitation to train in the open round, for some of its members. */
export function startRound(state: RoundsState, to: readonly Member[]) {
  return {
    type: 'startRound',
    to: to.map(({ worker, incarnation }) => ({ worker, incarnation })),
    round: state.open!.round,
    base: state.committed,
    members: state.open!.members.map(({ worker, incarnation, steps }) => ({ worker, incarnation, steps })),
  } as const;
}

/** Closes the round for contributions and asks for the merge of those that are there. */
export function mergeRound(trained: RoundsState, now: Milliseconds, reason: string): Step {
  const next: RoundsState = { ...payForContributions(trained, now), phase: 'merging', since: now, heardAt: now };
  return step(next, `round ${next.open!.round} is merged: ${reason}`, merge(next));
}

/** What is to be merged, in the order of summation. */
export function merge(state: RoundsState) {
  const contributions = state.open!.members.flatMap(({ worker, incarnation, status, contribution }) =>
    status === 'contributed' ? { worker, incarnation, ...contribution! } : [],
  );
  return {
    type: 'merge',
    round: state.open!.round,
    base: state.committed,
    contributions,
    totalWeight: contributions.reduce((sum, { weight }) => sum + weight, 0),
  } as const;
}

/** The merged parameters are the truth from now on; all take them and report their hash (rules 4 and 6). */
export function commitRound(state: RoundsState, now: Milliseconds, hash: string): Step {
  const round = state.open!.round;
  const next: RoundsState = { ...closed(earn(state, state.open!, now), now, true, true), committed: { round, hash } };
  return step(next, `round ${round} is committed`, { type: 'commit', ...standing(next, next.workers) });
}

/**
 * Gives the round up: all go back to the last committed parameters (rule 4). Its number is not used again.
 *
 * @param late whether members that have not contributed are to blame
 */
export function abortRound(state: RoundsState, now: Milliseconds, reason: string, late: boolean): Step {
  const round = state.open!.round;
  const next = closed(late ? payForContributions(state, now) : state, now, late, false);
  return step(next, `round ${round} is aborted: ${reason}`, {
    type: 'abort',
    ...standing(next, next.workers),
    round,
    reason,
  });
}

function closed(state: RoundsState, now: Milliseconds, late: boolean, committed: boolean): RoundsState {
  const workers = state.workers.map((worker): WorkerState => {
    const member = find(state.open!.members, worker.worker);
    const own = member?.incarnation === worker.incarnation ? member.status : null;
    const missed = own === 'contributed' ? 0 : own === 'training' && late ? worker.missed + 1 : worker.missed;
    return { ...worker, missed, lateness: 0, status: worker.status === 'ready' ? 'syncing' : worker.status };
  });
  const phase = { phase: 'gathering', since: now, heardAt: now, reportedAt: null } as const;
  return { ...state, ...phase, open: null, workers, strikes: strikesAfter(state, committed) };
}

/** One more for who was refused, or left a round that has failed; none for who has contributed to one that has not. */
function strikesAfter({ open, strikes }: RoundsState, committed: boolean): RoundsState['strikes'] {
  let next = strikes;
  for (const { worker, status } of open!.members) {
    if (status === 'refused' || (status === 'left' && !committed))
      next = withItem(next, { worker, count: 1 + (find(next, worker)?.count ?? 0) });
    else if (status === 'contributed' && committed && find(next, worker)) next = withoutItem(next, worker);
  }
  return next;
}

export function stopRun(state: RoundsState, now: Milliseconds, reason: string): Step {
  const next: RoundsState = { ...state, phase: 'stopped', since: now, heardAt: now, reportedAt: null };
  return step(next, `the run is over: ${reason}`, { type: 'stopped', ...standing(next, next.workers) });
}

/** Puts members out of the open round and tells them why. */
export function refuseMembers(state: RoundsState, workers: readonly string[], code: RefusalCode, reason: string): Step {
  const members = workers.map((worker) => find(state.open!.members, worker)!);
  const next = workers.reduce((at, worker) => withMemberStatus(at, worker, 'refused'), state);
  return step(
    next,
    `contributions of ${workers.join(', ')} refused: ${reason}`,
    refusal(
      members.map(({ worker, incarnation }) => ({ worker, incarnation })),
      'contribution',
      code,
      reason,
    ),
  );
}

export function withMemberStatus(state: RoundsState, worker: string, status: MemberStatus): RoundsState {
  return withMember(state, { ...find(state.open!.members, worker)!, status });
}

export function withMember(state: RoundsState, member: Member): RoundsState {
  return { ...state, open: { ...state.open!, members: withItem(state.open!.members, member) } };
}

export function withWorker(state: RoundsState, worker: WorkerState): RoundsState {
  return { ...state, workers: withItem(state.workers, worker) };
}
