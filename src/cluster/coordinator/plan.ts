import { CLOCK_STEPS, planSteps, type StepPlan } from '../../run/limits.js';
import type { ParsedTrainOptions } from '../../run/options.js';

/** How far a run between machines goes, and over how many steps its learning rate falls. */
export interface RunLength {
  /** Inner steps per replica over which the learning rate falls. */
  readonly schedule: number;
  /** Committed inner steps per replica after which the run ends. */
  readonly mostSteps: number;
  /** Committed tokens after which it ends; null: no such limit. */
  readonly mostTokens: number | null;
  /** Seconds in rounds after which it ends; null: no such limit. */
  readonly mostSeconds: number | null;
}

/** Where a run stands. */
export interface RunStanding {
  /** Committed inner steps per replica, as the learning rate counts them; a fraction where members did not do the same. */
  readonly position: number;
  readonly tokens: number;
  /** Spent in rounds that were committed. */
  readonly seconds: number;
  /** Inner steps per replica of the last round, and its length in seconds; null before the first. */
  readonly last: { readonly steps: number; readonly seconds: number } | null;
}

/**
 * The limits of a run from the options of `train`. `steps` are those of each replica. `tokens` are those of all, so the
 * schedule counts them in steps of `members` replicas, however many come.
 *
 * @param tokensPerStep of one replica
 * @param members replicas that are expected
 * @param rowTokens as of {@link planSteps}
 */
export function planRun(
  options: Pick<ParsedTrainOptions, 'steps' | 'tokens' | 'minutes' | 'untilLoss'>,
  tokensPerStep: number,
  members: number,
  rowTokens?: number,
): RunLength {
  const { tokens, minutes } = options;
  if (minutes !== undefined)
    return {
      schedule: CLOCK_STEPS,
      mostSteps: Number.MAX_SAFE_INTEGER,
      mostTokens: null,
      mostSeconds: 60 * minutes,
    };
  const { schedule, most }: StepPlan = planSteps(options, tokensPerStep * members, rowTokens);
  if (tokens !== undefined)
    return { schedule, mostSteps: Number.MAX_SAFE_INTEGER, mostTokens: tokens, mostSeconds: null };
  return { schedule, mostSteps: most, mostTokens: null, mostSeconds: null };
}

/** Whether the run has come to its end. */
export function isFinished(plan: RunLength, { position, tokens, seconds }: RunStanding): boolean {
  // Means of steps are rounded: a millionth of a step is none.
  if (position >= plan.mostSteps - 1e-6) return true;
  if (plan.mostTokens !== null && tokens >= plan.mostTokens) return true;
  return plan.mostSeconds !== null && seconds >= plan.mostSeconds;
}

/**
 * H of the next round: that of the run, or what is left of it.
 *
 * @param tokensPerStep of all members together, if that is known
 */
export function nextSteps(plan: RunLength, standing: RunStanding, steps: number, tokensPerStep: number | null): number {
  let left = plan.mostSteps - standing.position;
  if (plan.mostTokens !== null && tokensPerStep !== null)
    left = Math.min(left, (plan.mostTokens - standing.tokens) / tokensPerStep);
  return Math.max(1, Math.min(steps, Math.ceil(left - 1e-6)));
}

/**
 * How far the learning rate's schedule goes over a round whose members do `steps` on the mean and `tokens` together.
 * All members go as far, whatever their H, so that the rate is the same everywhere at a round's start and end.
 */
export function advanceOf(plan: RunLength, standing: RunStanding, steps: number, tokens: number): number {
  if (plan.mostTokens !== null) return (plan.schedule * tokens) / plan.mostTokens;
  if (plan.mostSeconds === null) return steps;
  // The clock's share of the last round, scaled to this one's steps; the first is a small step from the start.
  const { last } = standing;
  const seconds = last === null ? 0 : (last.seconds * steps) / last.steps;
  return (plan.schedule * seconds) / plan.mostSeconds;
}

/** Where the learning rate's schedule stands. */
export function schedulePosition(plan: RunLength, { position, tokens, seconds }: RunStanding): number {
  if (plan.mostTokens !== null) return (plan.schedule * tokens) / plan.mostTokens;
  if (plan.mostSeconds !== null) return (plan.schedule * seconds) / plan.mostSeconds;
  return position;
}
