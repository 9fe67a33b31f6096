import { MeanfieldError } from '../../base/errors.js';
import { thousands } from '../../base/thousands.js';
import { type Candidate, devices } from '../search/index.js';
import type { Cluster, StepPrediction, Workload } from '../types.js';
import { type ErrorPoint, type TimeInterval, timeInterval } from './interval.js';
import { planRun, type RunPlan } from './plan-run.js';

/**
 * A whole run on part of the cluster.
 *
 * @category Planning a machine
 */
export interface RunOption {
  readonly accelerators: number;
  readonly candidate: Candidate;
  readonly run: RunPlan;
  /** Factors of its time and cost between which measured ones lie. */
  readonly interval: TimeInterval;
}

/** Accelerators that must be rented for so many: whole nodes, at most all there are. */
export function rented(cluster: Cluster, used: number): number {
  return Math.min(cluster.accelerators, Math.ceil(used / cluster.perNode) * cluster.perNode);
}

/**
 * The run of each member of a front, the fastest for each number of accelerators that can be rented. Those that would
 * never end, since failures come faster than checkpoints, are left out.
 *
 * @param front by devices, ascending, so that times fall
 * @param points measured runs that intervals are taken from
 */
export function runsOf(
  workload: Workload,
  cluster: Cluster,
  front: readonly Candidate[],
  tokens: number,
  points?: readonly ErrorPoint[],
): RunOption[] {
  const runs = new Map<number, RunOption>();
  for (const candidate of front) {
    const accelerators = rented(cluster, devices(candidate.arrangement));
    const run = runOrNever(candidate.prediction, workload, cluster, tokens, accelerators);
    const interval = timeInterval(workload, cluster.accelerator, candidate.arrangement, points);
    if (run !== null) runs.set(accelerators, { accelerators, candidate, run, interval });
  }
  return [...runs.values()];
}

function runOrNever(
  step: StepPrediction,
  workload: Workload,
  cluster: Cluster,
  tokens: number,
  accelerators: number,
): RunPlan | null {
  try {
    return planRun(step, workload, cluster, { tokens }, { accelerators });
  } catch (error) {
    if (error instanceof MeanfieldError && error.exitCode === 1) return null;
    throw error;
  }
}

/** Which part of the cluster a run should take, and what to tell when a limit cannot be kept. */
export interface Choice {
  readonly option: RunOption;
  readonly warning: string | null;
}

/**
 * The fastest run within a budget, or the cheapest that ends in time, or the fastest of all.
 *
 * @param options not empty; by accelerators, so that times fall
 */
export function chooseRun(
  options: readonly RunOption[],
  { usd, seconds }: { readonly usd?: number | undefined; readonly seconds?: number | undefined },
): Choice {
  const fastest = options.reduce((best, each) => (each.run.seconds < best.run.seconds ? each : best));
  const cost = ({ run }: RunOption) => run.usd ?? run.acceleratorHours;
  const cheapest = options.reduce((best, each) => (cost(each) < cost(best) ? each : best));
  const inTime = options.filter(({ run }) => seconds === undefined || run.seconds <= seconds);
  if (inTime.length === 0) {
    return { option: fastest, warning: `No arrangement ends in time: the fastest takes ${days(fastest.run)} days.` };
  }
  const affordable = inTime.filter(({ run }) => usd === undefined || run.usd === null || run.usd <= usd);
  if (affordable.length === 0) {
    const least = inTime.reduce((best, each) => (cost(each) < cost(best) ? each : best));
    return {
      option: seconds === undefined ? cheapest : least,
      warning: `No arrangement keeps to the budget: the cheapest costs $${thousands(Math.ceil(least.run.usd ?? 0))}.`,
    };
  }
  const better = seconds === undefined ? (a: RunOption) => a.run.seconds : cost;
  return { option: affordable.reduce((best, each) => (better(each) < better(best) ? each : best)), warning: null };
}

function days({ days: count }: RunPlan): string {
  return count >= 100 ? thousands(Math.ceil(count)) : count.toPrecision(3);
}
