import type { RateShape } from './optimizers.js';

/**
 * The learning rate over a run: linear warm-up, then from `peak` to `final` by half a cosine (arXiv 1608.03983) or by a
 * line (to 0: arXiv 2502.15938).
 */
export interface ScheduleOptions {
  /** Runs of earlier versions, which name none, have the cosine. */
  readonly shape?: RateShape | undefined;
  readonly peak: number;
  readonly final: number;
  /** Steps until the peak is reached. */
  readonly warmup: number;
  /** Steps of the whole run; from there on the rate stays at `final`. */
  readonly steps: number;
  /** The limit of a run that time ends: it goes through `steps`, and `warmup` of them, by the clock. */
  readonly seconds?: number | undefined;
}

/** The schedule that a run had until it was made longer. */
export interface EarlierSchedule {
  /** The first step of the next one. */
  readonly until: number;
  readonly schedule: ScheduleOptions;
}

/** The learning rate of a step, counted from 0. */
export function learningRate({ shape, peak, final, warmup, steps }: ScheduleOptions, step: number): number {
  if (step < warmup) return (peak * (step + 1)) / warmup;
  if (step >= steps) return final;
  const progress = (step - warmup) / Math.max(1, steps - warmup);
  if (shape === 'linear') return final + (peak - final) * (1 - progress);
  return final + ((peak - final) * (1 + Math.cos(Math.PI * progress))) / 2;
}

/** The schedule by which a step goes. */
export function scheduleAt(now: ScheduleOptions, earlier: readonly EarlierSchedule[], step: number): ScheduleOptions {
  return earlier.find(({ until }) => step < until)?.schedule ?? now;
}
