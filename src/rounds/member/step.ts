import type { Cargo, MemberEffect, MemberState, MemberStep, MessageOfMember } from './types.js';

/** A step to `state`, for a reason, with effects. */
export function step<C extends Cargo>(
  state: MemberState<C>,
  reason: string,
  ...effects: MemberEffect<C>[]
): MemberStep<C> {
  return { state, effects, reason };
}

/** Goes on from a step with changes to its state, or null for none; effects and reasons add up. */
export function and<C extends Cargo>(
  { state, effects, reason }: MemberStep<C>,
  changes: Partial<MemberState<C>> | null,
  why: string,
  ...more: MemberEffect<C>[]
): MemberStep<C> {
  return {
    // A spread of two objects is many times slower, and simulations come here millions of times.
    state: changes === null ? state : Object.assign({ ...state }, changes),
    effects: more.length === 0 ? effects : [...effects, ...more],
    reason: reason === '' || why === '' ? reason + why : `${reason}; ${why}`,
  };
}

/** What is said in the life that a state is of. */
export function send<C extends Cargo>(
  { incarnation }: Pick<MemberState<C>, 'incarnation'>,
  message: MessageOfMember<C>,
): MemberEffect<C> {
  return { type: 'send', incarnation, message };
}
