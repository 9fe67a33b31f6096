import { onCaughtUp, onCutOff, onRolledBack, onTook, proceed } from './member/parameters.js';
import { end, onAccepted, onBeat, onEvict, onRefuse, onStanding } from './member/presence.js';
import { onReduce, onReduced } from './member/reducing.js';
import { and, send, step } from './member/step.js';
import type { Cargo, MemberInput, MemberState, MemberStep, MessageToMember } from './member/types.js';
import { onHalted, onMixable, onNotStored, onStart, onStored, onTrained } from './member/work.js';

/**
 * A member before its first event.
 *
 * @param incarnation of its first life; each later one is one higher
 * @param overlap τ, in inner steps: how many of the next round's are done before the last one's result is mixed in
 */
export function createMember<C extends Cargo>(incarnation: number, overlap = 0): MemberState<C> {
  return {
    incarnation,
    overlap,
    life: 'joining',
    knocks: 0,
    closed: -1,
    holds: null,
    target: null,
    taking: null,
    catchingUp: null,
    dirty: false,
    owesReport: false,
    stopping: false,
    round: null,
    ahead: null,
    training: null,
    pending: null,
    beyond: 0,
    reducing: null,
  };
}

/**
 * The machine of a member, as `tick` is the coordinator's: what a member does when something happens. Pure: no clock, no
 * I/O, no randomness, and the state given is never changed. Its drivers are the worker between machines, the simulation
 * of schedules and the planner's of periodic averaging: they turn messages, beats and finished work into events, and
 * carry out effects.
 *
 * ```
 *                welcome                       refused: suspended
 *   ┌─────────┐ ────────► ┌────────┐ ──────────────────────────────► ┌───────────┐
 *   │ joining │           │ member │                                 │ suspended │ joins again, as a new life,
 *   └─────────┘ ◄──────── └────────┘ ◄────────────────────────────── └───────────┘ every few beats
 *                a new life: evicted, unknown,        welcome
 *                an older or a newer incarnation                     over: finished, left, evicted, failed
 *
 *   its parameters:  target ── catchUp ──► held, local ones differ ── rollBack ──► held ── report ──► may start a round
 *                      ▲                                                                                  │
 *                      └───────── committed ones that are not held: a commit, a heal ◄────────────────────┘
 *
 *   its round:  startRound ──► training ──► storing ──► contributed ──► closed by a commit: target
 *                                 │                          ▲      └─► closed by an abort: rollBack
 *                                 └── with fragments: ahead, the next round's steps, through the commit of this one
 * ```
 *
 * Its rules:
 * 1. It trains from nothing but the parameters that a round starts from, held and found by hash, and goes back to them
 *    first (`work.ts`, `parameters.ts`). Steps ahead of a round count only if the round before was committed.
 * 2. What is over is dropped, pending contributions and sums with it; what may be lost is said again with each beat.
 * 3. It reports the hash that it has found, once nothing is under way with its parameters.
 * 4. Catching up, going back and training never touch the parameters at the same time, but that what is committed is
 *    mixed into steps ahead, once they are far enough.
 * 5. Words to another of its lives do not count.
 *
 * @example
 * const { state, effects, reason } = memberTick(createMember(1), { type: 'start' });
 */
export function memberTick<C extends Cargo>(state: MemberState<C>, event: MemberInput<C>): MemberStep<C> {
  if (state.life === 'over') return step(state, `${event.type}: it has ended`);
  return proceed(handle(state, event));
}

function handle<C extends Cargo>(state: MemberState<C>, event: MemberInput<C>): MemberStep<C> {
  switch (event.type) {
    case 'start':
      return step(state, 'it asks to take part', send(state, { type: 'join' }));
    case 'heard':
      if (event.incarnation !== state.incarnation)
        return step(state, `${event.message.type} was for incarnation ${event.incarnation}, not ${state.incarnation}`);
      return onMessage(state, event.message);
    case 'beat':
      return onBeat(state);
    case 'mixable':
      return onMixable(state, event);
    case 'trained':
      return onTrained(state, event);
    case 'halted':
      return onHalted(state, event);
    case 'stored':
      return onStored(state, event);
    case 'notStored':
      return onNotStored(state, event);
    case 'took':
      return onTook(state, event);
    case 'caughtUp':
      return onCaughtUp(state);
    case 'cutOff':
      return onCutOff(state, event.reason);
    case 'rolledBack':
      return onRolledBack(state);
    case 'reduced':
      return onReduced(state, event);
    case 'leave':
      return end(step(state, event.reason, send(state, { type: 'leave', reason: event.reason })), 'left');
    case 'shutOut':
      return end(step(state, 'the message system has shut it out'), 'evicted');
    case 'failed':
      return and(step<C>(state, event.reason), { life: 'over' }, '', {
        type: 'fail',
        why: 'broken',
        reason: event.reason,
      });
  }
}

function onMessage<C extends Cargo>(state: MemberState<C>, message: MessageToMember<C>): MemberStep<C> {
  switch (message.type) {
    case 'welcome':
    case 'commit':
    case 'abort':
    case 'heal':
    case 'stopped':
      return onStanding(state, message);
    case 'startRound':
      return onStart(state, message);
    case 'accepted':
      return onAccepted(state, message.round);
    case 'refuse':
      return onRefuse(state, message);
    case 'evict':
      return onEvict(state, message);
    case 'reduce':
      return onReduce(state, message);
  }
}

/** What a member waits for, for people; `busy`: it works. */
export function waitOf<C extends Cargo>(state: MemberState<C>): { readonly what: string; readonly busy: boolean } {
  const { life, round, target } = state;
  const wait = (what: string, busy = false) => ({ what, busy });
  if (life === 'joining') return wait('an answer to its request to join');
  if (life === 'suspended') return wait('the end of its suspension');
  if (round?.stage === 'training') return wait(`its steps of round ${round.round}`, true);
  if (round?.stage === 'storing') return wait(`the upload of its contribution to round ${round.round}`);
  if (round !== null) return wait(`the others' contributions to round ${round.round}`);
  if (target !== null) return wait(`the parameters of round ${target.committed.round}`);
  return wait('the next round');
}
