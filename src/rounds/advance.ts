import type { Step } from './events.js';
import { suspendStruck } from './membership.js';
import { abortRound, mergeRound, openRound, refuseMembers, stopRun } from './phases.js';
import { decideGathering, decideRound } from './quorum.js';
import { andThen, chain } from './step.js';
import type { Milliseconds } from './types.js';

/**
 * Moves the run as far as it can go now. Called after every event, so that whatever has changed (a contribution, a
 * leave, a death, a refusal, the time) re-evaluates whether the round is complete (rule 2).
 */
export function advance(from: Step, now: Milliseconds): Step {
  let at = from;
  for (;;) {
    const { phase, open } = at.state;
    if (phase === 'gathering') {
      at = chain(at, (state) => suspendStruck(state, now));
      const decision = decideGathering(at.state, now);
      if (decision.action === 'wait') {
        if (decision.quorum === (at.state.reportedAt !== null)) return andThen(at, at.state, decision.reason);
        at = { ...at, state: { ...at.state, reportedAt: decision.quorum ? now : null } };
        continue;
      }
      at = chain(at, (state) =>
        decision.action === 'stop' ? stopRun(state, now, decision.reason) : openRound(state, now),
      );
    } else if (phase === 'training') {
      const decision = decideRound({ ...at.state, open: open! }, now);
      switch (decision.action) {
        case 'merge':
          at = chain(at, (state) => mergeRound(state, now, decision.reason));
          break;
        case 'abort':
          if (decision.gaveUp) at = { ...at, state: { ...at.state, gaveUp: open!.round } };
          at = chain(at, (state) => abortRound(state, now, decision.reason, decision.late));
          break;
        case 'refuse':
          at = chain(at, (state) => refuseMembers(state, decision.workers, 'outlier', decision.reason));
          break;
        case 'wait': {
          const started = open!.quorumAt !== null;
          if (decision.quorum === started) return andThen(at, at.state, decision.reason);
          const quorumAt = decision.quorum ? now : null;
          at = { ...at, state: { ...at.state, open: { ...open!, quorumAt } } };
        }
      }
    } else return at;
  }
}
