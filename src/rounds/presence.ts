import { isObjection, objectionToRound, senderOf } from './check.js';
import type { Heartbeat, Report, Step } from './events.js';
import { removeWorkers } from './membership.js';
import { find } from './order.js';
import { startRound, withMemberStatus, withWorker } from './phases.js';
import { address, andThen, chain, closedRound, refuse, standing, step } from './step.js';
import type { Milliseconds, RoundsState, WorkerState, WorkerStatus } from './types.js';

/** Keeps the worker alive and repeats to it whatever it seems to have missed. */
export function onHeartbeat(state: RoundsState, heartbeat: Heartbeat, now: Milliseconds): Step {
  const sender = senderOf(state, heartbeat);
  if (isObjection(sender)) return refuse(state, heartbeat, sender.code, sender.reason);
  const next = withWorker(state, { ...sender, lastSeen: now });
  if (sender.status !== 'ready')
    return step(next, `${sender.worker} has yet to report the hash of round ${state.committed.round}`, {
      type: 'commit',
      ...standing(state, [sender]),
    });
  const member = state.phase === 'training' ? find(state.open!.members, sender.worker) : undefined;
  if (member?.status === 'training' && heartbeat.round !== state.open!.round)
    return step(next, `${sender.worker} has yet to start round ${state.open!.round}`, startRound(state, [member]));
  return step(next, `${sender.worker} is alive`);
}

/** Compares a worker's parameters with the committed ones: equal makes it ready, different heals it (rules 5, 6). */
export function onReport(state: RoundsState, report: Report, now: Milliseconds): Step {
  const sender = senderOf(state, report);
  if (isObjection(sender)) return refuse(state, report, sender.code, sender.reason);
  const { round, hash } = state.committed;
  const seen = { ...sender, lastSeen: now };
  const objection =
    objectionToRound(report.round, round, 'the last committed round') ??
    objectionToRound(report.closed, closedRound(state), 'the last round that is over');
  if (objection) {
    const refused = refuse(withWorker(state, seen), report, objection.code, objection.reason);
    if (sender.status === 'ready') return refused;
    return andThen(refused, refused.state, '', { type: 'commit', ...standing(state, [sender]) });
  }
  if (report.hash === hash) return ready(state, seen, now);
  return heal(state, seen, `the parameters of round ${round} have hash ${hash}; got ${report.hash}`);
}

function ready(state: RoundsState, sender: WorkerState, now: Milliseconds): Step {
  const { phase, reportedAt, committed } = state;
  const first = phase === 'gathering' && sender.status !== 'ready';
  const lateness = first ? Math.max(0, now - (reportedAt ?? now)) : sender.lateness;
  const next = withWorker(state, { ...sender, status: 'ready', heals: 0, lateness });
  return step(first ? { ...next, heardAt: now } : next, `${sender.worker} holds round ${committed.round}`);
}

/** Puts the worker out of the open round and has it take the committed parameters again (rule 6). */
export function heal(state: RoundsState, sender: WorkerState, reason: string): Step {
  const heals = sender.heals + 1;
  const status: WorkerStatus = sender.status === 'joined' ? 'joined' : 'syncing';
  const marked = outOfRound(withWorker(state, { ...sender, heals, status }), sender);
  const told = step(marked, `${sender.worker} is to heal: ${reason}`);
  if (heals > state.options.healAttempts)
    return chain(told, (at) => removeWorkers(at, [sender], `still wrong after ${heals - 1} healings: ${reason}`));
  return andThen(told, marked, '', { type: 'heal', ...standing(state, [address(sender)]), reason });
}

/** What was trained from wrong parameters has no place in the round, delivered or not. */
function outOfRound(state: RoundsState, { worker, incarnation }: WorkerState): RoundsState {
  if (state.phase !== 'training') return state;
  const member = find(state.open!.members, worker);
  return member?.incarnation === incarnation ? withMemberStatus(state, worker, 'refused') : state;
}
