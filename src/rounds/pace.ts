import { median } from './norms.js';
import type { WorkerState } from './types.js';

/** A member does at most so many times H, however fast: a long drift from the others' parameters costs quality. */
const MOST = 4;

/**
 * The H of each worker: the one of median speed does `steps`, a faster one more and a slower one fewer, so that all
 * end at about the same time. One whose speed is not known does `steps`.
 */
export function paceSteps(
  workers: readonly Pick<WorkerState, 'stepsPerSecond'>[],
  steps: number,
  adaptive: boolean,
): number[] {
  const typical = adaptive ? median(workers.flatMap((worker) => worker.stepsPerSecond ?? [])) : undefined;
  return workers.map(({ stepsPerSecond }) => {
    if (typical === undefined || stepsPerSecond === null) return steps;
    return Math.min(MOST * steps, Math.max(1, Math.round((steps * stepsPerSecond) / typical)));
  });
}

/** The speed after a measurement: half the old, half the new, so that one odd round does not swing H. */
export function smoothSpeed(old: number | null, steps: number, seconds: number): number | null {
  const speed = steps / seconds;
  if (!(speed > 0) || !Number.isFinite(speed)) return old;
  return old === null ? speed : (old + speed) / 2;
}
