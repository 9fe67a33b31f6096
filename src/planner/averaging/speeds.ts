/**
 * Replicas of different speeds in one round.
 *
 * @category Planning a machine
 */
export interface UnevenRound {
  /** Inner steps of each replica. */
  readonly innerSteps: readonly number[];
  /** Seconds until the slowest has done its steps. */
  readonly seconds: number;
  /** Share of the time that replicas compute, averaged by replica: 0 to 1. */
  readonly utilization: number;
  /** Steps of all replicas a second. */
  readonly stepsPerSecond: number;
}

/**
 * Lets each replica do as many steps as its speed allows in the time that an average replica needs for H.
 *
 * @param stepSeconds of each replica
 * @param meanSteps H, the mean over the replicas
 * @param adapt `false` gives every replica the same H, so that all wait for the slowest
 */
export function unevenRound(stepSeconds: readonly number[], meanSteps: number, adapt: boolean): UnevenRound {
  const speed = stepSeconds.reduce((sum, seconds) => sum + 1 / seconds, 0) / stepSeconds.length;
  const innerSteps = stepSeconds.map((seconds) =>
    adapt ? Math.max(1, Math.round(meanSteps / seconds / speed)) : meanSteps,
  );
  const busy = innerSteps.map((steps, i) => steps * stepSeconds[i]!);
  const seconds = Math.max(...busy);
  const steps = innerSteps.reduce((sum, count) => sum + count, 0);
  return {
    innerSteps,
    seconds,
    utilization: busy.reduce((sum, time) => sum + time, 0) / busy.length / seconds,
    stepsPerSecond: steps / seconds,
  };
}

/**
 * Step times of replicas whose speeds are spread evenly over a range, with the mean speed kept.
 *
 * @param spread how much faster the fastest is than the slowest: 2 is twice as fast; 1, all equal
 */
export function spreadSteps(replicas: number, stepSeconds: number, spread: number): number[] {
  const half = (spread - 1) / (spread + 1);
  return Array.from({ length: replicas }, (_, i) => {
    const place = replicas === 1 ? 0 : (2 * i) / (replicas - 1) - 1;
    return stepSeconds / (1 + half * place);
  });
}
