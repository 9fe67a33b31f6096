import { and, send, step } from './step.js';
import type { Cargo, MemberInput, MemberStart, MemberState, MemberStep, OwnRound } from './types.js';

/** Contributions in a row beyond its storage after which a member gives up: what fills it may be deleted in between. */
export const BEYOND = 3;

type Event<C extends Cargo, T extends MemberInput<C>['type']> = Extract<MemberInput<C>, { readonly type: T }>;

/**
 * Trains in a round, from nothing but the parameters that it starts from: a start that comes before they are held, or
 * while anything is still under way with them, is not heeded, since a heartbeat brings it again.
 */
export function onStart<C extends Cargo>(state: MemberState<C>, message: MemberStart<C>): MemberStep<C> {
  const { round, base, next } = message;
  const { holds, closed, target, ahead, training } = state;
  if (round <= closed) return step(state, `round ${round} is over`);
  if (target !== null || holds?.round !== base.round || holds.hash !== base.hash)
    return step(state, `round ${round} starts from parameters that are not held`);
  if (state.round !== null && round <= state.round.round)
    return step(state, round === state.round.round ? `round ${round} is known` : `round ${round} is past`);
  if (state.round !== null)
    return giveUpWork(step(state, `round ${state.round.round} must be over, since ${round} has started`));
  const own: OwnRound<C> = { round, base, next, stage: 'training' };
  const begun = step({ ...state, round: own, pending: null }, `round ${round} has started`, {
    type: 'tell',
    news: { type: 'training', round, steps: message.steps },
  } as const);
  if (ahead !== null) {
    // Its steps came after those of the round before: without that one they are nothing.
    if (ahead.round !== round || base.round !== round - 1)
      return giveUpWork(step(state, `round ${round} is not the one that was begun`));
    const adopted = and(begun, { ahead: null }, 'its steps were begun before');
    return ahead.finite === null ? adopted : finish(adopted, own, ahead.finite);
  }
  if (state.dirty || training !== null || state.taking !== null)
    return step(state, `round ${round} cannot start before the parameters are back`);
  return train(begun, round, message);
}

function train<C extends Cargo>(before: MemberStep<C>, round: number, work: C['work']): MemberStep<C> {
  const mixAfter = Math.min(before.state.overlap, work.steps);
  const training = { round, stopped: false, mixable: mixAfter === 0 };
  return and(before, { training, dirty: true }, '', { type: 'train', round, work, mixAfter });
}

export function onMixable<C extends Cargo>(state: MemberState<C>, { round }: Event<C, 'mixable'>): MemberStep<C> {
  const { training } = state;
  if (training?.round !== round) return step(state, `steps of round ${round} are not under way`);
  return step({ ...state, training: { ...training, mixable: true } }, `round ${round} may be mixed with the last`);
}

export function onTrained<C extends Cargo>(state: MemberState<C>, event: Event<C, 'trained'>): MemberStep<C> {
  const { round, finite } = event;
  const { training, ahead } = state;
  if (training?.round !== round) return step(state, `steps of round ${round} are not under way`);
  const trained = step({ ...state, training: null }, `the steps of round ${round} are done`);
  if (training.stopped) return and(trained, null, 'in vain');
  if (ahead?.round === round) return and(trained, { ahead: { round, finite } }, '');
  return finish(trained, state.round!, finite);
}

/** Goes on to the next round's steps where there are fragments, and stores what was made. */
function finish<C extends Cargo>(before: MemberStep<C>, own: OwnRound<C>, finite: boolean): MemberStep<C> {
  const { round, base, next } = own;
  const storing = { ...own, stage: 'storing' } as const;
  const onward =
    next !== null && finite
      ? train(and(before, { ahead: { round: round + 1, finite: null } }, ''), round + 1, next)
      : before;
  // Not waited for: the parameters that come next need not wait for it.
  return and(onward, { round: storing }, `the contribution to round ${round} is to be stored`, {
    type: 'store',
    incarnation: before.state.incarnation,
    round,
    base,
  });
}

export function onHalted<C extends Cargo>(state: MemberState<C>, { round }: Event<C, 'halted'>): MemberStep<C> {
  if (state.training?.round !== round) return step(state, `steps of round ${round} are not under way`);
  return step({ ...state, training: null }, `the steps of round ${round} were stopped`);
}

export function onStored<C extends Cargo>(state: MemberState<C>, event: Event<C, 'stored'>): MemberStep<C> {
  const { round, contribution } = event;
  const own = state.round;
  if (own?.round !== round || own.stage !== 'storing') return step(state, `nobody wants round ${round} any more`);
  const next: MemberState<C> = { ...state, round: { ...own, stage: 'contributed' }, pending: contribution, beyond: 0 };
  return step(
    next,
    `the contribution to round ${round} is stored`,
    send(state, { type: 'contribution', contribution }),
    { type: 'tell', news: { type: 'contributed', round } },
  );
}

export function onNotStored<C extends Cargo>(state: MemberState<C>, event: Event<C, 'notStored'>): MemberStep<C> {
  const { round, full, reason } = event;
  const own = state.round;
  if (own?.round !== round || own.stage !== 'storing') return step(state, `nobody wants round ${round} any more`);
  const why = `the contribution to round ${round} could not be stored: ${reason}`;
  const news = { type: 'tell', news: { type: 'notStored', round, reason } } as const;
  // The others wait for it, as long as the round's time-out: it goes back, and a beat brings the round again.
  if (!full) return giveUpWork(step({ ...state, beyond: 0 }, why, news));
  const beyond = state.beyond + 1;
  const next: MemberState<C> = { ...state, round: { ...own, stage: 'failed' }, beyond };
  if (beyond < BEYOND) return step(next, why, news);
  return step({ ...next, life: 'over' }, why, {
    type: 'fail',
    why: 'full',
    reason: `${why}; that was ${BEYOND} rounds in a row.`,
  });
}

/** The round is over for this member: what it still does for it is in vain. Steps may go on; see {@link stopSteps}. */
export function leaveRound<C extends Cargo>(before: MemberStep<C>): MemberStep<C> {
  const own = before.state.round;
  if (own === null) return before;
  const left = and(before, { round: null, pending: null }, `round ${own.round} is over for it`);
  return own.stage === 'storing' ? and(left, null, '', { type: 'stopStoring' }) : left;
}

/** Gives up the steps that are under way, or done for a round that has not begun; then it has to go back. */
export function stopSteps<C extends Cargo>(before: MemberStep<C>): MemberStep<C> {
  const { training } = before.state;
  const dropped = and(before, { ahead: null }, '');
  if (training === null || training.stopped) return dropped;
  return and(dropped, { training: { ...training, stopped: true } }, 'its steps are stopped', { type: 'stopTraining' });
}

/** All that it does for a round, begun or not. */
export function giveUpWork<C extends Cargo>(before: MemberStep<C>): MemberStep<C> {
  return stopSteps(leaveRound(before));
}
