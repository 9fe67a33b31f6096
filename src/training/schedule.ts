/** The learning rate over a run: linear warm-up, then half a cosine from `peak` to `final` (arXiv 1608.03983). */
export interface ScheduleOptions {
  readonly peak: number;
  readonly final: number;
  /** Steps until the peak is reached. */
  readonly warmup: number;
  /** Steps of the whole run; from there on the rate stays at `final`. */
  readonly steps: number;
}

/** The learning rate of a step, counted from 0. */
export function learningRate({ peak, final, warmup, steps }: ScheduleOptions, step: number): number {
  if (step < warmup) return (peak * (step + 1)) / warmup;
  if (step >= steps) return final;
  const progress = (step - warmup) / Math.max(1, steps - warmup);
  return final + ((peak - final) * (1 + Math.cos(Math.PI * progress))) / 2;
}

/** How far a schedule goes over a round. In its own steps, which are those of the run unless a clock ends it. */
export interface ScheduleSpan {
  /** Where the round begins. */
  readonly position: number;
  /** How far it has gone when all of the round's steps are done. */
  readonly advance: number;
}

/** The learning rate of step `i`, counted from 0, of a round of `steps`. */
export function rateWithin(schedule: ScheduleOptions, { position, advance }: ScheduleSpan, i: number, steps: number) {
  return learningRate(schedule, position + (advance * i) / steps);
}
