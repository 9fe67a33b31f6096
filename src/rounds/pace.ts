import { median } from './norms.js';
import type { WorkerState } from './types.js';

/** A member does at most so many times H, however fast: a long drift from the others' parameters costs quality. */
const MOST = 4;
/** And at least such a share of H, so that speeds that others tell cannot keep it from training. */
const LEAST = 1 / 16;
/** Inner steps a second that are believed: no machine is slower or faster. */
const SPEEDS = [1e-6, 1e6] as const;

/**
 * The H of each worker: the one of median speed does `steps`, a faster one more and a slower one fewer, so that all
 * end at about the same time. One whose speed is not known does `steps`. The median is that of those who have
 * contributed before, where there are some: what newcomers say of themselves does not change what the others do. Each
 * round missed in a row halves it: who was left behind has become slower than it was measured, or was never measured,
 * and must come in time to be.
 */
export function paceSteps(
  workers: readonly Pick<WorkerState, 'stepsPerSecond' | 'missed' | 'credit'>[],
  steps: number,
  adaptive: boolean,
): number[] {
  if (!adaptive) return workers.map(() => steps);
  const speeds = (from: typeof workers) => from.flatMap(({ stepsPerSecond }) => stepsPerSecond ?? []);
  const typical = median(speeds(workers.filter(({ credit }) => credit !== null))) ?? median(speeds(workers));
  return workers.map(({ stepsPerSecond, missed }) => {
    const speed = typical === undefined || stepsPerSecond === null ? 1 : stepsPerSecond / typical;
    const share = Math.min(MOST, Math.max(LEAST, speed / 2 ** missed));
    return Math.max(1, Math.round(steps * share));
  });
}

/** The speed after a measurement: half the old, half the new, so that one odd round does not swing H. */
export function smoothSpeed(old: number | null, steps: number, seconds: number): number | null {
  const speed = believable(steps / seconds);
  if (speed === null) return old;
  return old === null ? speed : (old + speed) / 2;
}

/** A told or measured speed, brought into what machines have; null where it says nothing. */
export function believable(speed: number | null): number | null {
  if (speed === null || !(speed > 0) || !Number.isFinite(speed)) return null;
  return Math.min(SPEEDS[1], Math.max(SPEEDS[0], speed));
}
