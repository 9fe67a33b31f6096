import { and, send, step } from './step.js';
import type { Cargo, MemberInput, MemberState, MemberStep } from './types.js';
import { stopSteps } from './work.js';

/**
 * Goes on with its parameters as far as it can now, one thing after another: to the target, back from what was trained,
 * then the report of what is held. Called after every event.
 */
export function proceed<C extends Cargo>(at: MemberStep<C>): MemberStep<C> {
  const { state } = at;
  if (state.life === 'over' || state.taking !== null) return at;
  const { target, training, ahead } = state;
  if (target !== null) {
    const mayMix = training === null || (ahead !== null && training.mixable);
    if (!mayMix) return at;
    const { committed, chain } = target;
    return and(at, { taking: 'chain', catchingUp: committed }, `it goes to round ${committed.round}`, {
      type: 'catchUp',
      committed,
      chain,
      held: state.holds,
    });
  }
  if (mustGoBack(state)) {
    if (training !== null) return at;
    return and(at, { taking: 'rollback' }, 'it goes back to what it holds', { type: 'rollBack' });
  }
  const reported = state.owesReport && state.life === 'member' ? report(at) : at;
  if (!state.stopping) return reported;
  return and(reported, { life: 'over' }, 'the run is over', { type: 'end', ended: 'finished' });
}

/** Whether its local parameters are of no round that it takes part in. */
function mustGoBack<C extends Cargo>({ dirty, round, ahead }: MemberState<C>): boolean {
  return dirty && round === null && ahead === null;
}

function report<C extends Cargo>(at: MemberStep<C>): MemberStep<C> {
  const { holds, closed } = at.state;
  const { round, hash } = holds!;
  return and(
    at,
    { owesReport: false },
    `it reports round ${round}`,
    send(at.state, { type: 'report', round, hash, closed }),
  );
}

export function onTook<C extends Cargo>(
  state: MemberState<C>,
  { held, whole }: Extract<MemberInput<C>, { readonly type: 'took' }>,
): MemberStep<C> {
  if (state.taking !== 'chain') return step(state, 'it was not on its way');
  const taken = step<C>({ ...state, holds: held }, `round ${held.round} is held`);
  // A snapshot takes the place of what was trained ahead, and fewer steps than it was given would be left.
  return whole && state.ahead !== null ? stopSteps(taken) : taken;
}

export function onCaughtUp<C extends Cargo>(state: MemberState<C>): MemberStep<C> {
  if (state.taking !== 'chain') return step(state, 'it was not on its way');
  const { round } = state.holds!;
  const there = { ...arrived(state), owesReport: true };
  return step(there, `round ${round} is reached`, { type: 'tell', news: { type: 'committed', round } });
}

/** The chain may have moved on meanwhile: the next heartbeat's answer brings the new one. */
export function onCutOff<C extends Cargo>(state: MemberState<C>, reason: string): MemberStep<C> {
  if (state.taking !== 'chain') return step(state, 'it was not on its way');
  const { round } = state.catchingUp!;
  return step(arrived(state), `round ${round} cannot be had: ${reason}`, {
    type: 'tell',
    news: { type: 'cutOff', round, reason },
  });
}

function arrived<C extends Cargo>(state: MemberState<C>): MemberState<C> {
  const { target, catchingUp } = state;
  const same = target?.committed.round === catchingUp?.round && target?.committed.hash === catchingUp?.hash;
  return {
    ...state,
    taking: null,
    catchingUp: null,
    target: same ? null : target,
    // Who trains on is drawn to the committed parameters; all others start from them.
    dirty: true,
  };
}

export function onRolledBack<C extends Cargo>(state: MemberState<C>): MemberStep<C> {
  if (state.taking !== 'rollback') return step(state, 'it was not going back');
  return step({ ...state, taking: null, dirty: false }, 'it starts from what it holds');
}
