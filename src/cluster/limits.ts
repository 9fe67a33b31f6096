import type { ParsedTrainOptions } from '../training/config.js';

/** Steps of a run without a limit of its own; over as many its learning rate falls. */
const DEFAULT_STEPS = 2000;
/** A run that only a loss ends goes on for so many times its schedule at the lowest rate, then ends all the same. */
const PATIENCE = 10;

/** How far a run goes. */
export interface StepPlan {
  /** Over which the learning rate falls. */
  readonly schedule: number;
  /** After which the run ends at the latest. */
  readonly most: number;
}

/** What `--minutes` is turned into steps by. */
export interface MeasuredSpeed {
  /** Over all replicas. */
  readonly tokensPerSecond: number;
  /** Tokens of one evaluation. */
  readonly evaluationTokens: number;
}

/**
 * The steps of a run. `--minutes` gives as many as fit at the measured speed, counting an evaluation's token as a third
 * of a trained one (it has no backward pass), less 5 % for saving; the clock ends the run as well.
 *
 * @param tokensPerStep of all replicas together
 * @param speed needed with `minutes` alone
 */
export function planSteps(
  options: Pick<ParsedTrainOptions, 'steps' | 'tokens' | 'minutes' | 'untilLoss' | 'evalEvery'>,
  tokensPerStep: number,
  speed?: MeasuredSpeed,
): StepPlan {
  const { steps, tokens, minutes, untilLoss, evalEvery } = options;
  if (steps !== undefined) return { schedule: steps, most: steps };
  if (tokens !== undefined) {
    const needed = Math.ceil(tokens / tokensPerStep);
    return { schedule: needed, most: needed };
  }
  if (minutes !== undefined) {
    if (!speed) throw new Error('minutes need a measured speed');
    const tokensAStep = tokensPerStep + speed.evaluationTokens / 3 / evalEvery;
    const fitting = Math.floor((0.95 * 60 * minutes * speed.tokensPerSecond) / tokensAStep);
    return { schedule: Math.max(1, fitting), most: Math.max(1, fitting) };
  }
  return { schedule: DEFAULT_STEPS, most: untilLoss === undefined ? DEFAULT_STEPS : PATIENCE * DEFAULT_STEPS };
}

/** Whether a multiple of `every` lies in (before, after]. */
export function crosses(before: number, after: number, every: number): boolean {
  return Math.floor(after / every) > Math.floor(before / every);
}
