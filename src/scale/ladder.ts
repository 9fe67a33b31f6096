import { UsageError } from '../base/errors.js';
import { secondsOf, sideBySide, stepsWithin, type TrainingSpeed } from './cost.js';
import { type LadderSize, ladderSizes, sizeFor } from './sizes.js';

/**
 * Sizes of a ladder, and token counts of each: every one twice the one before. With three times, the shortest runs are
 * still bent by their warm-up where the longest are what a budget pays for, and the law bends with them.
 */
const SIZES = 5;
const TOKEN_COUNTS = 3;
const TOKEN_FACTOR = 2;
/** The predicted run's compute over that of the largest that is fitted. */
const BEYOND = 5;
/** Steps of the shortest runs: below them warm-up is most of what there is. */
export const FEWEST_STEPS = 40;
/** Runs that a search for the best rate takes, as far as its cost is estimated. */
export const EXPECTED_TRIALS = 4;
/** What of a budget is planned with: runs that diverge, searches that go further, a machine that slows. */
const PLANNED_SHARE = 0.9;

/** Which replicas are averaged, to measure what that costs. */
export interface AveragingSettings {
  /** Numbers of them that the gap is fitted to. */
  readonly replicas: readonly number[];
  /** And of which it is predicted. */
  readonly predicted: number;
  /** H: inner steps between two averages. */
  readonly syncEvery: readonly number[];
}

/** What a ladder is made by. */
export interface LadderSettings {
  /** Parameters aimed at: of the smallest and the largest model, and of the one whose loss is predicted. */
  readonly least: number;
  readonly most: number;
  readonly predict: number;
  /** Bytes of a sequence, sequences of a step. */
  readonly context: number;
  readonly batchSize: number;
  readonly seed: number;
  /** Runs of the predicted size, each of its own seed. */
  readonly seeds: number;
  /** Missing where no averaging is measured. */
  readonly averaging?: AveragingSettings | undefined;
}

/** The models and lengths of a ladder; all lengths are steps. */
export interface Ladder extends LadderSettings {
  readonly sizes: readonly LadderSize[];
  /** Ascending. */
  readonly steps: readonly number[];
  readonly predicted: LadderSize;
  readonly predictedSteps: number;
}

/** Tokens of a step. */
export function tokensPerStep({ context, batchSize }: Pick<LadderSettings, 'context' | 'batchSize'>): number {
  return context * batchSize;
}

/**
 * Makes a ladder: sizes by the rule of {@link sizeFor}, lengths of 1, 2 and 4 times the shortest, and a predicted run of
 * five times the compute of the largest.
 *
 * @param shortest steps of the shortest runs
 * @throws UsageError when the sizes come out the same, or the predicted model is not larger than all that are fitted
 */
export function makeLadder(settings: LadderSettings, shortest: number): Ladder {
  const { least, most, predict, context } = settings;
  const sizes = ladderSizes(least, most, SIZES, context);
  const largest = sizes.at(-1)!;
  const predicted = sizeFor(predict, context);
  if (predicted.parameters <= largest.parameters)
    throw new UsageError(
      `The predicted model must be larger than those that are fitted: its ${predicted.parameters} parameters are not ` +
        `above ${largest.parameters}. Predict a larger one, or fit smaller ones.`,
    );
  if (predicted.parameters > 2 * BEYOND * largest.parameters)
    throw new UsageError(
      `The predicted model has ${predicted.parameters} parameters, ${Math.round(predicted.parameters / largest.parameters)} ` +
        `times the largest that is fitted: with ${BEYOND} times its compute it would hardly be trained. Predict at most ` +
        `${2 * BEYOND} times ${largest.parameters}.`,
    );
  const steps = Array.from({ length: TOKEN_COUNTS }, (_, i) => shortest * TOKEN_FACTOR ** i);
  const predictedSteps = Math.round((BEYOND * largest.parameters * steps.at(-1)!) / predicted.parameters);
  return { ...settings, sizes, steps, predicted, predictedSteps };
}

/** Steps of the runs that tune a rate: the middle length, as the best rate of the shortest is not that of the longest. */
export function tunedSteps({ steps }: Pick<Ladder, 'steps'>): number {
  return steps[TOKEN_COUNTS >> 1]!;
}

/** The two sizes whose rate is tuned: the smallest and the largest that is fitted. */
export function tunedSizes({ sizes }: Ladder): readonly [LadderSize, LadderSize] {
  return [sizes[0]!, sizes.at(-1)!];
}

/** Every number of replicas by every H: those that are fitted, then those that are predicted. */
export function averagedCounts({ averaging }: Ladder): { replicas: number; syncEvery: number; predicted: boolean }[] {
  if (averaging === undefined) return [];
  const { replicas: fitted, predicted: last, syncEvery: every } = averaging;
  return [...fitted, last].flatMap((replicas) =>
    every.map((syncEvery) => ({ replicas, syncEvery, predicted: replicas === last })),
  );
}

/** The rung with which averaged replicas are compared: of the middle size and length. */
export function averagedRung({ sizes, steps }: Ladder): { readonly size: LadderSize; readonly steps: number } {
  return { size: sizes[SIZES >> 1]!, steps: steps[TOKEN_COUNTS >> 1]! };
}

/** How many times as long a run takes whose replicas exchange, and wait for one another. */
const AVERAGING_COSTS = 1.5;

/** Expected seconds of a run of averaged replicas, a thread each on so many places. */
export function averagedSeconds(ladder: Ladder, speed: TrainingSpeed, replicas: number, places: number): number {
  const { size, steps } = averagedRung(ladder);
  const { overhead } = speed;
  const alone = secondsOf(speed, size.parameters, steps * tokensPerStep(ladder)) - overhead;
  return overhead + (AVERAGING_COSTS * alone) / Math.min(replicas, places);
}

/** Expected seconds of a ladder's stages. @param places runs side by side */
export function ladderSeconds(
  ladder: Ladder,
  speed: TrainingSpeed,
  places: number,
): { readonly tune: number; readonly rungs: number; readonly truth: number; readonly averaging: number } {
  const tokens = tokensPerStep(ladder);
  const seconds = (size: LadderSize, steps: number) => secondsOf(speed, size.parameters, steps * tokens);
  const trials = tunedSizes(ladder).flatMap((size) =>
    new Array<number>(EXPECTED_TRIALS).fill(seconds(size, tunedSteps(ladder))),
  );
  const rungs = ladder.sizes.flatMap((size) => ladder.steps.map((steps) => seconds(size, steps)));
  const truths = new Array<number>(ladder.seeds).fill(seconds(ladder.predicted, ladder.predictedSteps));
  return {
    tune: sideBySide(trials, places),
    rungs: sideBySide(rungs, places),
    truth: sideBySide(truths, places),
    averaging: averagedCounts(ladder).reduce(
      (sum, { replicas }) => sum + averagedSeconds(ladder, speed, replicas, places),
      0,
    ),
  };
}

/** The ladder that a budget pays for. @param seconds of the whole, what was spent on measuring already taken off */
export function ladderWithin(settings: LadderSettings, seconds: number, speed: TrainingSpeed, places: number): Ladder {
  const cost = (steps: number) => {
    const { tune, rungs, truth, averaging } = ladderSeconds(makeLadder(settings, steps), speed, places);
    return tune + rungs + truth + averaging;
  };
  return makeLadder(settings, stepsWithin(PLANNED_SHARE * seconds, cost, FEWEST_STEPS));
}
