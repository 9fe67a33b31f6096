import type { Spelling } from '../base/spelling.js';

/** What decides how large a step is. */
export interface StepSizes {
  /** The peak of the learning rate. */
  readonly lr: number;
  readonly clip: number;
  /** Steps until the peak. */
  readonly warmup: number;
  /** The step, counted from 0, in which training diverged. */
  readonly step: number;
}

/** The warm-up to advise where there is a shorter one. */
const LONG_WARMUP = 100;

/** What to change after a divergence: only what is not in force yet. */
export function divergenceAdvice({ lr, clip, warmup, step }: StepSizes, { option }: Spelling): string {
  const changes = [`${option('lr', Number((lr / 3).toPrecision(1)))} (it was ${Number(lr.toPrecision(3))})`];
  if (clip === 0) changes.push(`${option('clip', 1)} (gradients were not clipped)`);
  else if (clip > 1) changes.push(`${option('clip', 1)} (it was ${clip})`);
  if (warmup < LONG_WARMUP) changes.push(`${option('warmup', LONG_WARMUP)} (it was ${warmup})`);
  else if (step <= 2 * warmup) changes.push(`${option('warmup', 4 * warmup)} (it was ${warmup})`);
  const last = changes.pop()!;
  const list = changes.length > 0 ? `${changes.join(', ')} and ${last}` : last;
  return `Start a new run with ${list}.`;
}
