/** The learning rate over a run: linear warm-up, then half a cosine from `peak` to `final` (arXiv 1608.03983). */
export interface ScheduleOptions {
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
export function learningRate({ peak, final, warmup, steps }: ScheduleOptions, step: number): number {
  if (step < warmup) return (peak * (step + 1)) / warmup;
  if (step >= steps) return final;
  const progress = (step - warmup) / Math.max(1, steps - warmup);
  return final + ((peak - final) * (1 + Math.cos(Math.PI * progress))) / 2;
}

/** The schedule by which a step goes. */
export function scheduleAt(now: ScheduleOptions, earlier: readonly EarlierSchedule[], step: number): ScheduleOptions {
  return earlier.find(({ until }) => step < until)?.schedule ?? now;
}
