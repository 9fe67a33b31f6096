import type { Effect, RefusalCode, Step, WorkerMessage } from './events.js';
import type { Address, Committed, RoundsState } from './types.js';

/** A step that goes from `state`, for a reason, with effects. */
export function step(state: RoundsState, reason: string, ...effects: Effect[]): Step {
  return { state, effects, reason };
}

/** Goes on from a step to another state; effects and reasons add up. */
export function andThen(before: Step, state: RoundsState, reason: string, ...effects: Effect[]): Step {
  return { state, effects: [...before.effects, ...effects], reason: joined(before.reason, reason) };
}

/** Goes on from a step through a function of its state. */
export function chain(before: Step, next: (state: RoundsState) => Step): Step {
  const after = next(before.state);
  return andThen(before, after.state, after.reason, ...after.effects);
}

/** The state unchanged, and the sender told why its message does not count. */
export function refuse(state: RoundsState, message: WorkerMessage, code: RefusalCode, reason: string): Step {
  return step(
    state,
    `${message.type} of ${message.worker} refused: ${reason}`,
    refusal([address(message)], message.type, code, reason),
  );
}

export function refusal(
  to: readonly Address[],
  about: WorkerMessage['type'],
  code: RefusalCode,
  reason: string,
): Effect {
  return { type: 'refuse', to, about, code, reason };
}

export function address({ worker, incarnation }: Address): Address {
  return { worker, incarnation };
}

/** The part of a message that says where the run stands; see `Standing` in `events.ts`. */
export function standing(
  state: RoundsState,
  to: readonly Address[],
): { readonly to: readonly Address[]; readonly committed: Committed; readonly closed: number } {
  return {
    to: to.map(address),
    committed: state.committed,
    closed: closedRound(state),
  };
}

/** The highest round number that is over. */
export function closedRound(state: RoundsState): number {
  return state.open === null ? state.round : state.open.round - 1;
}

function joined(a: string, b: string): string {
  return a === '' ? b : b === '' ? a : `${a}; ${b}`;
}
