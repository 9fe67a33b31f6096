import { MeanfieldError } from '../base/errors.js';

/** How fast this machine trains, with all of its cores at work: what a run costs beside its tokens, and a token. */
export interface TrainingSpeed {
  /** Seconds of a run for reading the text, starting and the last evaluation. */
  readonly overhead: number;
  /** Seconds of a token: `fixed` of any model's, and `perParameter` for each parameter. */
  readonly fixed: number;
  readonly perParameter: number;
}

/** A run that was timed on one thread. */
export interface TimedRun {
  readonly parameters: number;
  readonly tokensPerSecond: number;
  /** Seconds beside those of its tokens. */
  readonly overhead: number;
}

/** The line through a token's time at two sizes. */
export function speedOf(small: TimedRun, large: TimedRun): TrainingSpeed {
  const [low, high] = [1 / small.tokensPerSecond, 1 / large.tokensPerSecond];
  const overhead = (small.overhead + large.overhead) / 2;
  const slope = (high - low) / (large.parameters - small.parameters);
  const fixed = low - slope * small.parameters;
  // On a machine with other work a measurement may come out upside down.
  if (!(slope > 0)) return { overhead, fixed: 0, perParameter: high / large.parameters };
  if (fixed < 0) return { overhead, fixed: 0, perParameter: Math.max(low / small.parameters, high / large.parameters) };
  return { overhead, fixed, perParameter: slope };
}

/** Expected seconds of a run on one thread. */
export function secondsOf(
  { overhead, fixed, perParameter }: TrainingSpeed,
  parameters: number,
  tokens: number,
): number {
  return overhead + tokens * (fixed + perParameter * parameters);
}

/** Seconds until jobs are done of which `places` run side by side, the longest first. */
export function sideBySide(seconds: readonly number[], places: number): number {
  const ends = new Array<number>(places).fill(0);
  for (const each of [...seconds].sort((a, b) => b - a)) {
    const soonest = ends.indexOf(Math.min(...ends));
    ends[soonest]! += each;
  }
  return Math.max(...ends);
}

/**
 * The largest number of steps whose cost keeps to a budget.
 *
 * @param cost seconds by the steps of the shortest run; grows with them
 * @throws MeanfieldError when not even the fewest keep to it
 */
export function stepsWithin(seconds: number, cost: (steps: number) => number, fewest: number): number {
  if (cost(fewest) > seconds)
    throw new MeanfieldError(
      `The budget is too small: the shortest ladder, whose least run has ${fewest} steps, takes about ` +
        `${(cost(fewest) / 60).toPrecision(2)} minutes here, and ${(seconds / 60).toPrecision(2)} are left of the budget. ` +
        'Give more minutes, or smaller models.',
    );
  let low = fewest;
  let high = 2 * fewest;
  while (cost(high) <= seconds) [low, high] = [high, 2 * high];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (cost(middle) <= seconds) low = middle;
    else high = middle;
  }
  return low;
}
