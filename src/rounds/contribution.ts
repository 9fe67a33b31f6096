import { isObjection, type Objection, objectionToRound, senderOf } from './check.js';
import type { Contribute, DriverEvent, Step } from './events.js';
import { find } from './order.js';
import { smoothSpeed } from './pace.js';
import { latenessOf } from './patience.js';
import { abortRound, commitRound, refuseMembers, withMember, withMemberStatus, withWorker } from './phases.js';
import { heal } from './presence.js';
import { address, chain, refuse, step } from './step.js';
import type { Contribution, Member, Milliseconds, RoundsState } from './types.js';

/** Sums of the weights of many are still exact. */
const MOST_WEIGHT = 2 ** 43;

/** Counts a contribution once, or says why it does not count (rules 1, 2 and 7). */
export function onContribution(state: RoundsState, event: Contribute, now: Milliseconds): Step {
  const sender = senderOf(state, event);
  if (isObjection(sender)) return refuse(state, event, sender.code, sender.reason);
  const seen = withWorker(state, { ...sender, lastSeen: now });
  const objection = state.open
    ? objectionToRound(event.round, state.open.round, 'the open round')
    : (objectionToRound(event.round, state.round + 1, 'the next round, not open yet,') ?? {
        code: 'future-round',
        reason: `round ${event.round} is not open yet`,
      });
  if (objection) return refuse(seen, event, objection.code, objection.reason);

  const member = find(state.open!.members, event.worker);
  if (member?.incarnation !== event.incarnation)
    return refuse(
      seen,
      event,
      'not-a-member',
      `round ${event.round} opened without ${event.worker}; wait for the next`,
    );
  if (member.status === 'contributed') return onRepeated(seen, event, member);
  if (state.phase === 'merging')
    return refuse(seen, event, 'too-late', `round ${event.round} is being merged without it`);
  if (event.baseHash !== state.committed.hash) {
    const reason = `round ${event.round} starts from ${state.committed.hash}; this from ${event.baseHash}`;
    return chain(refuse(seen, event, 'wrong-base', reason), (at) => heal(at, find(at.workers, event.worker)!, reason));
  }
  const fault = faultOf(event, member, state);
  if (fault) return refuse(withMemberStatus(seen, event.worker, 'refused'), event, fault.code, fault.reason);
  if (member.status === 'refused')
    return refuse(seen, event, 'too-late', `${event.worker} was refused in round ${event.round} already`);

  const measured = smoothSpeed(sender.stepsPerSecond, event.steps, event.seconds);
  return step(
    withMember(
      { ...withWorker(seen, { ...sender, lastSeen: now, stepsPerSecond: measured }), heardAt: now },
      {
        ...member,
        status: 'contributed',
        lateness: latenessOf(member, state.open!, now),
        contribution: contributionOf(event),
      },
    ),
    `${event.worker} has contributed to round ${event.round}`,
    { type: 'accepted', to: [address(event)], round: event.round },
  );
}

/** The driver has merged and stored; or a repeated word about a round that is over. */
export function onMerged(
  state: RoundsState,
  event: Extract<DriverEvent, { type: 'merged' | 'mergeFailed' }>,
  now: Milliseconds,
): Step {
  if (state.phase !== 'merging' || event.round !== state.open!.round)
    return step(state, `${event.type} of round ${event.round} ignored: that round is not being merged`);
  if (event.type === 'merged') return commitRound(state, now, event.hash);
  const culprits = event.workers.filter((worker) => find(state.open!.members, worker)?.status === 'contributed');
  if (culprits.length === 0) return abortRound(state, now, event.reason, false);
  return refuseMembers({ ...state, phase: 'training' }, culprits, 'damaged', event.reason);
}

function onRepeated(state: RoundsState, event: Contribute, member: Member): Step {
  if (event.contentHash !== member.contribution!.contentHash)
    return refuse(state, event, 'conflict', `${event.worker} has contributed something else to round ${event.round}`);
  return step(state, `${event.worker} has contributed already`, {
    type: 'accepted',
    to: [address(event)],
    round: event.round,
  });
}

/**
 * What is wrong with the contribution itself, whatever the others say (rule 7).
 */
function faultOf(
  it: Contribution,
  { steps, weight }: Pick<Member, 'steps' | 'weight'>,
  { layout, options }: RoundsState,
): Objection | null {
  if (it.layoutHash !== layout.hash)
    return { code: 'wrong-layout', reason: `the parameters' layout is ${layout.hash}; got ${it.layoutHash}` };
  if (it.length !== layout.length)
    return { code: 'wrong-shape', reason: `the vector has ${layout.length} elements; got ${it.length}` };
  if (!it.finite || !Number.isFinite(it.norm))
    return { code: 'not-finite', reason: 'it holds NaN or infinity; lower the learning rate or check the data' };
  const whole = (n: number) => Number.isSafeInteger(n) && n >= 1;
  const weighs = Number.isFinite(it.weight) && it.weight > 0 && it.weight <= MOST_WEIGHT;
  if (!whole(it.tokens) || !whole(it.steps) || !weighs || it.norm < 0 || it.contentHash === '')
    return {
      code: 'malformed',
      reason:
        'it needs tokens and steps from 1, a weight above 0, a norm from 0 and a hash; ' +
        `got ${it.tokens}, ${it.steps}, ${it.weight}, ${it.norm}, '${it.contentHash}'`,
    };
  if (it.steps !== steps)
    return { code: 'wrong-steps', reason: `the round gave it ${steps} steps; got a contribution of ${it.steps}` };
  const { tokensPerStep, normPerStep } = options;
  if (tokensPerStep !== null && it.tokens !== steps * tokensPerStep)
    return { code: 'wrong-steps', reason: `${steps} steps have ${steps * tokensPerStep} tokens; got ${it.tokens}` };
  if (weight !== null && it.weight !== weight)
    return { code: 'wrong-weight', reason: `the samples that it was given weigh ${weight}; got ${it.weight}` };
  if (normPerStep !== null && it.norm > steps * normPerStep)
    return {
      code: 'outlier',
      reason: `${steps} steps come to a norm of at most ${(steps * normPerStep).toPrecision(3)}; got ${it.norm.toPrecision(3)}`,
    };
  return null;
}

function contributionOf(it: Contribution): Contribution {
  const { tokens, weight, steps, seconds, baseHash, layoutHash, length, finite, norm, contentHash } = it;
  return { tokens, weight, steps, seconds, baseHash, layoutHash, length, finite, norm, contentHash };
}
