import { MeanfieldError, UsageError } from '../../base/errors.js';
import type { Cluster, StepPrediction, Workload } from '../types.js';
import { dalyInterval, slowdown, youngInterval } from './checkpoints.js';

/** How much is trained: tokens of all replicas, or FLOP of the model (no recomputation). */
export type RunBudget = { readonly tokens: number } | { readonly flop: number };

export interface RunOptions {
  /** Accelerators that are rented and run; all of the cluster's. */
  readonly accelerators?: number;
  /** Bytes that a checkpoint holds of each parameter; 14: fp32 weights and two moments, and 16-bit weights. */
  readonly bytesPerParameter?: number;
  /** Share of a checkpoint's writing during which training stands still; 1. Asynchronous writers come near 0. */
  readonly writeStall?: number;
  /** Seconds from a failure until the checkpoint can be loaded; 600. */
  readonly restart?: number;
  /** Share of their rated power that accelerators and hosts draw; 1. */
  readonly powerShare?: number;
  /** Seconds between failures of one node; the cluster's figure. */
  readonly nodeMeanTimeBetweenFailures?: number;
}

/**
 * A whole training run. Times in seconds, of the wall unless they say otherwise.
 *
 * @category Planning a machine
 */
export interface RunPlan {
  readonly tokens: number;
  /** Of the model, no recomputation. */
  readonly flop: number;
  readonly steps: number;
  readonly accelerators: number;
  readonly nodes: number;
  /** Training alone, as if nothing ever stopped. */
  readonly trainingSeconds: number;
  /** All of it. */
  readonly seconds: number;
  readonly days: number;
  readonly acceleratorHours: number;
  /** trainingSeconds / seconds. */
  readonly goodput: number;
  /** What the rest of the time goes to. */
  readonly lost: { readonly checkpoints: number; readonly restarts: number; readonly repeatedWork: number };
  readonly failures: {
    readonly nodeMeanTime: number;
    /** Between failures of any node. */
    readonly clusterMeanTime: number;
    readonly expected: number;
  };
  readonly checkpoint: {
    readonly bytes: number;
    readonly writeSeconds: number;
    /** Seconds of training between checkpoints that Young's and Daly's formulas give. */
    readonly young: number;
    readonly daly: number;
    /** What is planned with: Daly's in whole steps; `null`: no failures are expected, so none are needed. */
    readonly everySteps: number | null;
  };
  readonly energy: {
    readonly joules: number;
    readonly kilowattHours: number;
    /** Mean draw, of the building. */
    readonly watts: number;
  };
  /** `null`: the cluster has no price. */
  readonly usd: number | null;
}

/** Below this the formulas' answer is that the run never ends. */
const LEAST_GOODPUT = 1e-4;

/**
 * Steps, time, failures, checkpoints, energy and cost of a run.
 *
 * @param step what a step takes, of all accelerators that are used
 * @throws UsageError when a budget or option is out of range
 * @throws MeanfieldError when failures come faster than checkpoints, so that the run would never end
 */
export function planRun(
  step: StepPrediction,
  workload: Workload,
  cluster: Cluster,
  budget: RunBudget,
  options: RunOptions = {},
): RunPlan {
  const accelerators = options.accelerators ?? cluster.accelerators;
  const nodeMeanTime = options.nodeMeanTimeBetweenFailures ?? cluster.nodeMeanTimeBetweenFailures;
  check(budget, { ...options, accelerators, nodeMeanTimeBetweenFailures: nodeMeanTime });
  const { total: stepSeconds } = step.time;
  const tokensPerStep = step.tokensPerSecond * stepSeconds;
  const steps = Math.max(
    1,
    Math.ceil('tokens' in budget ? budget.tokens / tokensPerStep : budget.flop / step.modelFlop),
  );
  const trainingSeconds = steps * stepSeconds;
  const nodes = Math.ceil(accelerators / cluster.perNode);

  const bytes = workload.parameters * (options.bytesPerParameter ?? 14);
  const writeSeconds = bytes / cluster.storageBandwidth;
  const write = writeSeconds * (options.writeStall ?? 1);
  const restart = (options.restart ?? 600) + writeSeconds;
  const mtbf = nodeMeanTime / nodes;
  const daly = dalyInterval({ write, mtbf });
  const everySteps =
    mtbf === Number.POSITIVE_INFINITY ? null : Math.min(steps, Math.max(1, Math.round(daly / stepSeconds)));
  const interval = everySteps === null ? Number.POSITIVE_INFINITY : everySteps * stepSeconds;
  const seconds = trainingSeconds * slowdown(interval, { write, restart, mtbf });
  const goodput = trainingSeconds / seconds;
  if (!(goodput >= LEAST_GOODPUT))
    throw new MeanfieldError(
      `The run would never end: one of ${nodes} nodes fails every ${Math.round(mtbf)} s, and a step of ${stepSeconds.toPrecision(3)} s with a checkpoint of ${write.toPrecision(3)} s and a restart of ${restart.toPrecision(3)} s does not fit between. Use fewer nodes, faster storage or shorter steps.`,
    );

  const expected = seconds / mtbf;
  const checkpoints = everySteps === null ? 0 : (steps / everySteps) * write;
  const restarts = Math.min(expected * restart, seconds - trainingSeconds - checkpoints);
  const watts =
    (options.powerShare ?? 1) *
    (accelerators * cluster.accelerator.power + nodes * cluster.hostPower) *
    cluster.powerUsageEffectiveness;
  const acceleratorHours = (accelerators * seconds) / 3600;
  return {
    tokens: steps * tokensPerStep,
    flop: steps * step.modelFlop,
    steps,
    accelerators,
    nodes,
    trainingSeconds,
    seconds,
    days: seconds / 86_400,
    acceleratorHours,
    goodput,
    lost: { checkpoints, restarts, repeatedWork: seconds - trainingSeconds - checkpoints - restarts },
    failures: { nodeMeanTime, clusterMeanTime: mtbf, expected },
    checkpoint: { bytes, writeSeconds, young: youngInterval({ write, mtbf }), daly, everySteps },
    energy: { joules: watts * seconds, kilowattHours: (watts * seconds) / 3.6e6, watts },
    usd: cluster.price === null ? null : cluster.price * acceleratorHours,
  };
}

function check(
  budget: RunBudget,
  options: RunOptions & { readonly accelerators: number; readonly nodeMeanTimeBetweenFailures: number },
): void {
  const demand = (name: string, value: number | undefined, ok: (value: number) => boolean, allowed: string) => {
    if (value !== undefined && !ok(value)) throw new UsageError(`A run's ${name} must be ${allowed}; got ${value}.`);
  };
  const positive = (v: number) => v > 0 && Number.isFinite(v);
  const share = (v: number) => v >= 0 && v <= 1;
  if ('tokens' in budget) demand('tokens', budget.tokens, positive, 'a number above 0');
  else demand('FLOP', budget.flop, positive, 'a number above 0');
  demand('accelerators', options.accelerators, (v) => Number.isSafeInteger(v) && v >= 1, 'a whole number from 1');
  demand('bytes of a parameter in a checkpoint', options.bytesPerParameter, positive, 'a number above 0');
  demand('stall while a checkpoint is written', options.writeStall, share, 'a share from 0 to 1');
  demand('restart time', options.restart, (v) => v >= 0 && Number.isFinite(v), 'seconds from 0');
  demand('share of rated power', options.powerShare, (v) => v > 0 && v <= 1.5, 'a share above 0, at most 1.5');
  demand('time between failures of a node', options.nodeMeanTimeBetweenFailures, (v) => v > 0, 'seconds above 0');
}
