import type { ParsedTrainOptions } from './options.js';

/** Steps of a run without a limit of its own; over as many its learning rate falls. */
export const DEFAULT_STEPS = 2000;
/** How often a model that exists sees rows where no limit is given, if that takes fewer steps: more only learns them by heart. */
const PASSES = 3;
/** A run that only a loss ends goes on for so many times its schedule at the lowest rate, then ends all the same. */
const PATIENCE = 10;
/** Steps of the schedule of a run that the clock ends: it goes through them by time, however many it does. */
export const CLOCK_STEPS = 2000;

/** How far a run goes. */
export interface StepPlan {
  /** Over which the learning rate falls. */
  readonly schedule: number;
  /** After which the run ends at the latest. */
  readonly most: number;
}

/**
 * The steps of a run. With `--minutes` the clock ends it, whatever its steps.
 *
 * @param tokensPerStep of all replicas together
 * @param rowTokens of an epoch, where a model that exists learns rows
 */
export function planSteps(
  options: Pick<ParsedTrainOptions, 'steps' | 'tokens' | 'minutes' | 'untilLoss'>,
  tokensPerStep: number,
  rowTokens?: number,
): StepPlan {
  const { steps, tokens, minutes, untilLoss } = options;
  if (steps !== undefined) return { schedule: steps, most: steps };
  if (tokens !== undefined) {
    const needed = Math.ceil(tokens / tokensPerStep);
    return { schedule: needed, most: needed };
  }
  if (minutes !== undefined) return { schedule: CLOCK_STEPS, most: Number.MAX_SAFE_INTEGER };
  const passes = rowTokens === undefined ? DEFAULT_STEPS : Math.ceil((PASSES * rowTokens) / tokensPerStep);
  const schedule = Math.min(DEFAULT_STEPS, passes);
  return { schedule, most: untilLoss === undefined ? schedule : PATIENCE * schedule };
}

/** Whether a multiple of `every` lies in (before, after]. */
export function crosses(before: number, after: number, every: number): boolean {
  return Math.floor(after / every) > Math.floor(before / every);
}
