import type { FittedTime, MemoryConstants, PublishedTime, TimeConstants } from './constant-types.js';
import shipped from './constants.json' with { type: 'json' };

/** What the planner's predictions rest on beside physics and datasheets. */
export interface Constants {
  readonly time: TimeConstants;
  readonly memory: MemoryConstants;
  readonly efficiency: {
    /** By framework and accelerator, `NAME @ ACCELERATOR`: the one constant fitted for each pair. */
    readonly fitted: Readonly<Record<string, number>>;
    /** For a pair that no measurement covers, by the framework's kind where enough of it were measured. */
    readonly kinds?: Readonly<Record<string, number>>;
    /** For a pair of any other kind. */
    readonly default: number;
  };
}

/** The constants as fitted to the calibration set (`npm run bench -- plan`). */
const { published, time, memory, efficiency } = shipped as unknown as Constants & {
  readonly published: PublishedTime;
  readonly time: FittedTime;
};

export const shippedConstants: Constants = { time: { ...published, ...time }, memory, efficiency };

/** Of the time model's constants those that are fitted. */
export const fittedTime = ({ time: all }: Constants): FittedTime =>
  Object.fromEntries(Object.keys(time).map((key) => [key, all[key as keyof FittedTime]])) as unknown as FittedTime;
