import { advance } from './advance.js';
import { onContribution, onMerged } from './contribution.js';
import { checkOptions } from './create.js';
import type { Effect, RoundsEvent, Step } from './events.js';
import { onEvict, onJoin, onLeave, onSilence, onSuspend, withoutExpired } from './membership.js';
import { merge, startRound } from './phases.js';
import { onHeartbeat, onReport } from './presence.js';
import { standing, step } from './step.js';
import type { Milliseconds, RoundsState } from './types.js';
import { waitingChanged } from './waiting.js';

/**
 * The machine of rounds: what happens to a run when something happens. Pure: no clock, no I/O, no randomness, and the
 * state given is never changed. A driver stores the new state, then carries out the effects; if it dies between the
 * two, the `restart` event and the workers' heartbeats bring back what was lost.
 *
 * ```
 *                   enough ready, all reported or grace over          all contributed, or quorum and grace,
 *                                                                     or quorum at the round's time-out
 *   ┌───────────┐ ───────────── startRound ─────────────► ┌──────────┐ ─────────── merge ───────────► ┌─────────┐
 *   │ gathering │ ◄──────────────── abort ─────────────── │ training │ ◄── a damaged one put out ──── │ merging │
 *   └───────────┘   too few left, no quorum in time       └──────────┘                                └─────────┘
 *     │   ▲ ▲                                                                                           │     │
 *     │   │ └───────────────────────────────── commit: merged and stored ───────────────────────────────┘     │
 *     │   └─────────────────────────────────── abort: the merge failed ───────────────────────────────────────┘
 *     └── told to stop ──► stopped
 *
 *   a worker:  join ──► joined ── right hash ──► ready ── commit or abort ──► syncing ── right hash ──► ready
 *                         ▲                                                    │  ▲ wrong hash: heal
 *                         └──────────── grace over with no report ─────────────┘  └──┘
 * ```
 *
 * The rules of a round, and where they are kept:
 * 1. Run, incarnation and round of every message are checked; past and future rounds are refused (`check.ts`).
 * 2. Members are frozen when a round opens; every event ends in {@link advance}, which re-evaluates (`advance.ts`).
 * 3. All have contributed, or a quorum and the grace window is over; weights are targets learned (`quorum.ts`). H follows
 *    speed (`pace.ts`). With time-outs of `null` nothing depends on time, and sums run in replica order (`order.ts`).
 * 4. A round ends in `commit` or in `abort`, which sends all back to the committed parameters (`phases.ts`).
 * 5. Only a worker that has reported the committed hash takes part. What is committed first comes from the
 *    coordinator; there is no event by which a worker's parameters become the truth (`presence.ts`).
 * 6. After a commit all owe the hash of their parameters; who differs heals and is out until then (`presence.ts`).
 * 7. Contributions of wrong layout, shape, round, steps, with NaN or an outlying norm are refused (`contribution.ts`);
 *    who spoils round after round is suspended for a while (`phases.ts`, `membership.ts`).
 * 8. The state is plain JSON and complete; `restart` carries on with the open round on another clock (this file).
 * 9. Any message is a sign of life, heartbeats carry no tensor; the driver keeps them apart (`presence.ts`).
 * 10. The committed parameters are those of the outer optimiser; effects name no other (`events.ts`).
 *
 * @example
 * const { state, effects, reason } = tick(before, { type: 'timer' }, Date.now());
 */
export function tick(state: RoundsState, event: RoundsEvent, now: Milliseconds): Step {
  const handled = handle(withoutExpired(state, now), event, now);
  const moved = advance(handled, now);
  const waiting = waitingChanged(state, moved.state);
  return waiting ? { ...moved, effects: [...moved.effects, waiting] } : moved;
}

function handle(state: RoundsState, event: RoundsEvent, now: Milliseconds): Step {
  switch (event.type) {
    case 'join':
      return onJoin(state, event, now);
    case 'leave':
      return onLeave(state, event);
    case 'heartbeat':
      return onHeartbeat(state, event, now);
    case 'report':
      return onReport(state, event, now);
    case 'contribution':
      return onContribution(state, event, now);
    case 'merged':
    case 'mergeFailed':
      return onMerged(state, event, now);
    case 'timer':
      return onSilence(state, now);
    case 'evict':
      return onEvict(state, event);
    case 'suspend':
      return onSuspend(state, event, now);
    case 'restart':
      return onRestart(state, now);
    case 'steps':
      checkOptions({ ...state.options, steps: event.steps });
      return step({ ...state, steps: event.steps }, `H is ${event.steps} from the next round on`);
    case 'stop':
      return step({ ...state, stopping: true }, 'the run is to end with this round');
  }
}

/**
 * Carries on (rule 8): all time-outs start anew, since the silence was the coordinator's own and its clock may be
 * another; what may have been lost is told again.
 */
function onRestart(state: RoundsState, now: Milliseconds): Step {
  const { open } = state;
  const next: RoundsState = {
    ...state,
    since: now,
    heardAt: now,
    reportedAt: state.reportedAt === null ? null : now,
    workers: state.workers.map((worker) => ({ ...worker, lastSeen: now })),
    suspended: state.suspended.map((one) => ({ ...one, until: now + (state.options.suspension ?? 0) })),
    open: open && { ...open, openedAt: now, quorumAt: open.quorumAt === null ? null : now },
  };
  const behind = next.workers.filter((worker) => worker.status !== 'ready');
  const effects: Effect[] = [];
  if (behind.length > 0) effects.push({ type: 'commit', ...standing(next, behind) });
  const owing = next.phase === 'training' ? open!.members.filter((member) => member.status === 'training') : [];
  if (owing.length > 0) effects.push(startRound(next, owing));
  if (next.phase === 'merging') effects.push(merge(next));
  if (next.phase === 'stopped') effects.push({ type: 'stopped', ...standing(next, next.workers) });
  return step(next, `the coordinator carries on with ${next.phase}`, ...effects);
}
