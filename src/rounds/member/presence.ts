import { stopReducing } from './reducing.js';
import { and, send, step } from './step.js';
import type { Cargo, EvictMessage, MemberStanding, MemberState, MemberStep, RefuseMessage } from './types.js';
import { giveUpWork, leaveRound, stopSteps } from './work.js';

/** Heartbeats between two attempts of a suspended member to join again. */
export const KNOCKS = 4;

/** Where the run stands: ends what is over, and takes the committed parameters unless it holds those or later ones. */
export function onStanding<C extends Cargo>(state: MemberState<C>, message: MemberStanding<C>): MemberStep<C> {
  const { committed, closed } = message;
  // Overtaken by a later one, or of a coordinator that has lost what it stored last: a report would only be refused, which
  // would bring this again.
  if (closed < state.closed) return step({ ...state, life: 'member' }, `it knows that round ${state.closed} is over`);
  const stopping = state.stopping || message.type === 'stopped';
  const heard = step<C>({ ...state, life: 'member', closed, stopping }, `round ${committed.round} is committed`);
  const at = withoutClosed(heard, message);
  const { holds, target } = at.state;
  if (target !== null && target.committed.round >= committed.round) return and(at, null, 'it is on its way there');
  if (holds !== null && holds.round > committed.round) return and(at, null, 'it holds later ones');
  if (holds?.round === committed.round && holds.hash === committed.hash) {
    const held = and(at, { owesReport: true }, 'it holds them');
    if (message.type !== 'abort') return held;
    const { round, reason } = message;
    return and(held, null, '', { type: 'tell', news: { type: 'aborted', round, reason } });
  }
  // A round that starts from others than the committed parameters comes to nothing.
  const stale = at.state.round === null ? at : giveUpWork(at);
  return and(stale, { target: { committed, closed, chain: message.chain } }, 'it does not hold them');
}

/** Without rounds, steps and sums that are in vain by now. */
function withoutClosed<C extends Cargo>(at: MemberStep<C>, message: MemberStanding<C>): MemberStep<C> {
  const { round, ahead, closed, reducing } = at.state;
  let next = at;
  if (round !== null && round.round <= closed) {
    next = leaveRound(next);
    // With fragments training goes on through a commit, but for one that came before the steps were done.
    if (ahead === null) next = stopSteps(next);
  }
  if (ahead !== null) {
    const before = ahead.round - 1;
    const aborted = message.closed >= before && message.committed.round < before;
    if (ahead.round <= closed || aborted) next = stopSteps(next);
  }
  return reducing !== null && reducing.round <= closed ? stopReducing(next) : next;
}

export function onAccepted<C extends Cargo>(state: MemberState<C>, round: number): MemberStep<C> {
  if (state.pending === null || state.round?.round !== round) return step(state, `round ${round} is no matter now`);
  return step({ ...state, pending: null }, `the contribution to round ${round} has arrived`);
}

export function onRefuse<C extends Cargo>(
  state: MemberState<C>,
  { about, code, reason }: RefuseMessage,
): MemberStep<C> {
  const heard = step<C>(
    about === 'contribution' ? { ...state, pending: null } : state,
    `its ${about} was refused: ${reason}`,
  );
  switch (code) {
    case 'unknown-worker':
    case 'old-incarnation':
    case 'new-incarnation':
      return newLife(heard, reason);
    case 'evicted':
      return end(heard, 'evicted');
    case 'suspended':
      return suspend(heard, reason);
    case 'stopped':
      return and(giveUpWork(heard), { stopping: true }, '');
  }
  const told = and(heard, null, '', { type: 'tell', news: { type: 'refused', about, code, reason } });
  // It has told of a round that its coordinator knows nothing of, which has lost what it stored last, or all.
  if (about === 'report' && code === 'future-round') return newLife(told, reason);
  if (about !== 'join') return told;
  return and(told, { life: 'over' }, '', { type: 'fail', why: 'refused', reason });
}

export function onEvict<C extends Cargo>(state: MemberState<C>, { banned, reason }: EvictMessage): MemberStep<C> {
  const heard = step<C>(state, `it is out of the run: ${reason}`);
  return banned ? end(heard, 'evicted') : newLife(heard, reason);
}

/** It may come again when its time is over; what it was a member of is over for it. */
function suspend<C extends Cargo>(before: MemberStep<C>, reason: string): MemberStep<C> {
  if (before.state.life === 'suspended') return before;
  const changes = { life: 'suspended', knocks: 0, owesReport: false } as const;
  return and(stopReducing(giveUpWork(before)), changes, '', { type: 'tell', news: { type: 'suspended', reason } });
}

/** A new life, since the last one is over for the coordinator. */
function newLife<C extends Cargo>(before: MemberStep<C>, reason: string): MemberStep<C> {
  const again = and(stopReducing(giveUpWork(before)), null, '', { type: 'tell', news: { type: 'rejoining', reason } });
  return join(again);
}

function join<C extends Cargo>(before: MemberStep<C>): MemberStep<C> {
  const incarnation = before.state.incarnation + 1;
  const life = before.state.life === 'suspended' ? 'suspended' : 'joining';
  return and(
    before,
    // What the coordinator of the last life knew, that of this one may have lost.
    { incarnation, life, closed: -1, owesReport: false },
    `it joins as ${incarnation}`,
    send({ incarnation }, { type: 'join' }),
  );
}

/** A sign of life, and again what may have been lost. */
export function onBeat<C extends Cargo>(state: MemberState<C>): MemberStep<C> {
  const { life, holds, round, pending } = state;
  if (life === 'suspended') {
    const knocks = state.knocks + 1;
    const waiting = step({ ...state, knocks }, 'it is suspended');
    // Each time as a new life: the last one is over.
    return knocks % KNOCKS === 0 ? join(waiting) : waiting;
  }
  if (life === 'joining') return step(state, 'it has no answer yet', send(state, { type: 'join' }));
  const alive = step<C>(
    state,
    'it is alive',
    send(state, { type: 'heartbeat', holds: holds?.round ?? null, round: round?.round ?? null }),
  );
  if (pending === null) return alive;
  const again = send<C>(state, { type: 'contribution', contribution: pending });
  return and(alive, null, 'its contribution may be lost', again);
}

export function end<C extends Cargo>(before: MemberStep<C>, ended: 'finished' | 'left' | 'evicted'): MemberStep<C> {
  return and(before, { life: 'over' }, `it has ${ended}`, { type: 'end', ended });
}
