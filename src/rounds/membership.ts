import { objectionToRun } from './check.js';
import type { DriverEvent, Join, Leave, Step } from './events.js';
import { compareNames, find, withItem, withoutItem } from './order.js';
import { believable } from './pace.js';
import { withMemberStatus, withWorker } from './phases.js';
import { address, refuse, standing, step } from './step.js';
import type { Address, Milliseconds, RoundsState } from './types.js';

/** Admits a worker; it takes part once it holds the committed parameters, from the next round on (rules 2 and 5). */
export function onJoin(state: RoundsState, join: Join, now: Milliseconds): Step {
  const objection = objectionToRun(state, join);
  if (objection) return refuse(state, join, objection.code, objection.reason);
  if (state.stopping) return refuse(state, join, 'stopped', `run ${state.run} is about to end`);
  const { worker, incarnation } = join;
  if (join.layoutHash !== state.layout.hash)
    return refuse(
      state,
      join,
      'wrong-layout',
      `the parameters' layout is ${state.layout.hash}, the worker has ${join.layoutHash}; use the run's configuration`,
    );
  const known = find(state.workers, worker);
  const last = known ?? find(state.departed, worker);
  if (last && (incarnation < last.incarnation || (incarnation === last.incarnation && !known)))
    return refuse(
      state,
      join,
      'old-incarnation',
      `incarnation ${last.incarnation} of ${worker} was here already; join with a greater one than that`,
    );
  if (known && incarnation === known.incarnation)
    return step(withWorker(state, { ...known, lastSeen: now }), `${worker} has joined already`, {
      type: 'welcome',
      ...standing(state, [known]),
    });

  const cleared = known ? withoutWorker(state, known) : state;
  const admitted = withWorker(cleared, {
    worker,
    incarnation,
    status: 'joined',
    lastSeen: now,
    missed: 0,
    credit: null,
    lateness: 0,
    heals: 0,
    stepsPerSecond: believable(join.stepsPerSecond),
  });
  const welcome = { type: 'welcome', ...standing(admitted, [{ worker, incarnation }]) } as const;
  if (!known) return step(admitted, `${worker} joins`, welcome);
  const reason = `incarnation ${incarnation} of ${worker} replaces ${known.incarnation}`;
  return step(admitted, reason, { type: 'evict', to: [address(known)], reason }, welcome);
}

/** A worker goes. One that is not known is remembered as gone, so that its join, arriving late, raises no ghost. */
export function onLeave(state: RoundsState, leave: Leave): Step {
  const objection = objectionToRun(state, leave);
  if (objection) return step(state, `leave of ${leave.worker} ignored: ${objection.reason}`);
  const known = find(state.workers, leave.worker);
  if (known && leave.incarnation < known.incarnation)
    return step(state, `leave of ${leave.worker} ignored: it lives on as incarnation ${known.incarnation}`);
  return step(withoutWorker(state, leave), `${leave.worker} leaves: ${leave.reason}`);
}

/** The operator, or the driver for a false sum, bans a worker, at once and for good. */
export function onEvict(state: RoundsState, event: Extract<DriverEvent, { type: 'evict' }>): Step {
  const known = find(state.workers, event.worker);
  const evicted = state.evicted.includes(event.worker)
    ? state.evicted
    : [...state.evicted, event.worker].sort(compareNames);
  const banned = { ...state, evicted };
  if (!known) return step(banned, `${event.worker} is banned: ${event.reason}`);
  const delivered = state.phase === 'training' && find(state.open!.members, event.worker)?.status === 'contributed';
  const purged = delivered ? withMemberStatus(banned, event.worker, 'refused') : banned;
  return removeWorkers(purged, [known], `evicted: ${event.reason}`);
}

/** A worker whose messages are nonsense again and again may not take part for a while. */
export function onSuspend(
  state: RoundsState,
  event: Extract<DriverEvent, { type: 'suspend' }>,
  now: Milliseconds,
): Step {
  const { suspension } = state.options;
  const known = find(state.workers, event.worker);
  if (suspension === null || !known) return step(state, `${event.worker} cannot be suspended`);
  return suspendWorkers(state, now, [event.worker], event.reason);
}

/** Suspends, and removes, workers that have spoiled too many rounds in a row. */
export function suspendStruck(state: RoundsState, now: Milliseconds): Step {
  const { strikes, suspension } = state.options;
  const struck = state.strikes.filter(({ count }) => count >= strikes).map(({ worker }) => worker);
  if (suspension === null || struck.length === 0) return step(state, '');
  return suspendWorkers(state, now, struck, `it has spoiled ${strikes} rounds in a row`);
}

function suspendWorkers(state: RoundsState, now: Milliseconds, workers: readonly string[], why: string): Step {
  const { suspension } = state.options;
  const reason = `suspended for ${Math.ceil(suspension! / 1000)} seconds: ${why}`;
  const known = workers.flatMap((worker) => find(state.workers, worker) ?? []);
  const next: RoundsState = {
    ...state,
    strikes: state.strikes.filter(({ worker }) => !workers.includes(worker)),
    suspended: workers.reduce<RoundsState['suspended']>(
      (all, worker) => withItem(all, { worker, until: now + suspension!, reason }),
      state.suspended,
    ),
  };
  return known.length > 0 ? removeWorkers(next, known, reason) : step(next, `${workers.join(', ')} ${reason}`);
}

/** Those whose time is over may come again. */
export function withoutExpired(state: RoundsState, now: Milliseconds): RoundsState {
  if (state.suspended.every(({ until }) => until > now)) return state;
  return { ...state, suspended: state.suspended.filter(({ until }) => until > now) };
}

/** Takes those for dead that were silent for too long (rule 2: each death re-evaluates the round). */
export function onSilence(state: RoundsState, now: Milliseconds): Step {
  const { heartbeatTimeout } = state.options;
  if (heartbeatTimeout === null) return step(state, 'a timer');
  const silent = state.workers.filter((worker) => worker.lastSeen + heartbeatTimeout <= now);
  if (silent.length === 0) return step(state, 'a timer');
  return removeWorkers(state, silent, `nothing heard for ${heartbeatTimeout} ms`);
}

/** Removes workers and tells them. */
export function removeWorkers(state: RoundsState, workers: readonly Address[], reason: string): Step {
  return step(
    workers.reduce(withoutWorker, state),
    `${workers.map((worker) => worker.worker).join(', ')} removed: ${reason}`,
    { type: 'evict', to: workers.map(address), reason },
  );
}

/** Without the worker; what it has contributed to the open round stays. */
function withoutWorker(state: RoundsState, gone: Address): RoundsState {
  const member = state.open && find(state.open.members, gone.worker);
  const last = find(state.departed, gone.worker);
  const incarnation = Math.max(gone.incarnation, last?.incarnation ?? gone.incarnation);
  const next: RoundsState = {
    ...state,
    workers: withoutItem(state.workers, gone.worker),
    departed: withItem(state.departed, { worker: gone.worker, incarnation }),
  };
  const owes = member?.status === 'training' && member.incarnation <= gone.incarnation;
  return owes ? withMemberStatus(next, gone.worker, 'left') : next;
}
