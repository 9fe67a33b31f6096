import { UsageError } from '../../base/errors.js';
import {
  type AveragingPlan,
  type AveragingRequest,
  type BandwidthCurve,
  type BandwidthRange,
  bandwidthCurves,
  type Comparison,
  checkReplicas,
  chooseAveraging,
  crossover,
  GAIN,
  stepOf,
} from '../averaging/index.js';
import { checkCluster, checkWorkload } from '../catalogue/check.js';
import { findCluster } from '../catalogue/clusters.js';
import { chosenFramework, frameworkFamily, pairKey } from '../catalogue/frameworks.js';
import { findModel } from '../catalogue/models.js';
import { findLaw } from '../laws/laws.js';
import { lossOf, type ParametricLaw } from '../laws/parametric.js';
import { type Fixed, type SearchResult, searchArrangements } from '../search/index.js';
import { predictStep } from '../step/step.js';
import type { Arrangement, Cluster, Framework, StepPrediction, Workload } from '../types.js';
import { type Calibration, calibrated, OWN_INTERVAL } from './calibration.js';
import { type ErrorPoint, shippedPoints, type TimeInterval, timeInterval } from './interval.js';
import { secondsUntil } from './largest-run.js';
import { checkPlanOptions, type PlanOptions } from './options.js';
import { planRun, type RunPlan } from './plan-run.js';
import { chooseRun, type RunOption, rented, runsOf } from './runs.js';
import { settleSizes } from './sizes.js';

/**
 * How a model would be trained on a cluster, and what that takes.
 *
 * @category Planning a machine
 */
export interface Plan {
  readonly model: Workload;
  readonly cluster: Cluster;
  readonly framework: Framework;
  /** What was asked for. */
  readonly asked: PlanOptions;
  readonly tokens: number;
  /** Sizes of a step and the choices that were made already. */
  readonly fixed: Fixed;
  /** `data`: gradients are exchanged every step; `averaging`: parameters every H; `none`: nothing fits. */
  readonly method: 'data' | 'averaging' | 'none';
  /** Every arrangement with an exchange every step, searched. */
  readonly search: SearchResult;
  /** The best of periodic averaging; `null`: not asked for, or no part of the cluster holds a replica. */
  readonly averaging: AveragingPlan | null;
  /** A step of the chosen method on the accelerators that it uses; `null`: nothing fits. */
  readonly step: StepPrediction | null;
  /** Accelerators that are rented: whole nodes. */
  readonly accelerators: number;
  readonly run: RunPlan | null;
  /** Factors of step, time and cost between which measured ones lie, by the errors of runs like it. */
  readonly interval: TimeInterval | null;
  /** Runs on the whole cluster, half of it, a quarter, and so on: what more accelerators buy. */
  readonly options: readonly RunOption[];
  /** Expected loss in nats a token, and by which law. */
  readonly loss: { readonly expected: number; readonly law: string; readonly source: string };
  readonly assumptions: readonly string[];
  readonly warnings: readonly string[];
}

/** The law that loss and the cost of a gap in it are reckoned with. */
const LAW = 'replication';

/**
 * Plans the training of a model on a cluster: whether it fits, how it is arranged, how long it takes, what it costs, and
 * why the alternatives lose.
 *
 * @param model a name of the catalogue, or a workload
 * @param cluster a name of the catalogue, `64xh100`, or a cluster
 * @throws UsageError for unknown names, with the nearest; for options that exclude one another or cannot be
 * @throws MeanfieldError when failures come so fast that the run would never end
 *
 * @example
 * import { plan } from 'meanfield/planner';
 *
 * const { run, search } = plan('turing-nlg-17b', 'azure-openai-2020');
 * console.log(run?.days, search.best?.arrangement);
 *
 * @category Planning a machine
 */
export function plan(model: string | Workload, cluster: string | Cluster, options: PlanOptions = {}): Plan {
  checkPlanOptions(options);
  const workload = typeof model === 'string' ? findModel(model) : model;
  const machine = typeof cluster === 'string' ? findCluster(cluster) : cluster;
  checkWorkload(workload);
  checkCluster(machine);
  const framework = chosenFramework(options.framework, machine.accelerator.name, calibrated(options.calibration));
  const points = intervalPoints(options.calibration, framework, machine);
  const { tokens: wished, fixed, assumptions } = settleSizes(workload, machine, options);
  if (options.replicas !== undefined && options.method !== 'data') {
    checkReplicas(options.replicas, machine, fixed.globalBatch);
  }
  const limits = limitsOf(machine, options);
  const law = lossLaw();

  const search = searchArrangements(workload, machine, framework, fixed, predictStep);
  const tokens = tokensWithin(limits, options, wished, (count) =>
    runsOf(workload, machine, search.front, count, points),
  );
  const runs = runsOf(workload, machine, search.front, tokens, points);
  const choice = runs.length === 0 ? null : chooseRun(runs, limits);
  const request = averagingRequest(options, tokens, law);
  const averaging =
    options.method === 'data'
      ? null
      : chooseAveraging(workload, machine, framework, withoutDegrees(fixed), request, predictStep);

  const method = methodOf(options, choice?.option ?? null, averaging, search.best?.prediction.time.total ?? 0);
  const averaged = method === 'averaging' && averaging !== null;
  const step = averaged ? stepOf(averaging) : (choice?.option.candidate.prediction ?? null);
  const accelerators = averaged
    ? rented(machine, averaging.replicas * averaging.island.accelerators)
    : (choice?.option.accelerators ?? 0);
  const run = averaged ? averagedRun(averaging, workload, machine, tokens, accelerators) : (choice?.option.run ?? null);
  return {
    model: workload,
    cluster: machine,
    framework,
    asked: { ...options },
    tokens,
    fixed,
    method,
    search,
    averaging,
    step,
    accelerators,
    run,
    interval: averaged
      ? timeInterval(workload, machine.accelerator, averaging.inner.arrangement, points)
      : (choice?.option.interval ?? null),
    options: runs,
    loss: { expected: lossOf(law, workload.parameters, tokens), law: LAW, source: law.source },
    assumptions,
    warnings: [
      ...(choice?.warning ? [choice.warning] : []),
      ...(options.method === 'averaging' && averaging === null && step !== null
        ? [`No two replicas of ${workload.name} fit on ${machine.name}: the plan exchanges gradients every step.`]
        : []),
    ],
  };
}

/**
 * Utilisation by the bandwidth between nodes, and where averaging overtakes an exchange every step, both as the plan was
 * asked for.
 *
 * @returns `null` where there is nothing to compare: one node, no network, or one of the methods is not possible
 *
 * @category Planning a machine
 */
export function compareBandwidths(planned: Plan): BandwidthReport | null {
  const comparison = comparisonOf(planned);
  return comparison === null ? null : { curves: bandwidthCurves(comparison), averagingWins: crossover(comparison) };
}

/** Where averaging overtakes, without the curves of {@link compareBandwidths}; `null` in the same cases, or nowhere. */
export function averagingWins(planned: Plan): BandwidthRange | null {
  const comparison = comparisonOf(planned);
  return comparison === null ? null : crossover(comparison);
}

function comparisonOf(planned: Plan): Comparison | null {
  const { model, cluster, framework, search, averaging, tokens, asked } = planned;
  if (averaging === null || search.best === null) return null;
  if (cluster.accelerators <= cluster.perNode || cluster.interNode === 0) return null;
  return {
    workload: model,
    cluster,
    framework,
    everyStep: [
      ...search.front,
      ...search.alternatives,
      ...search.strategies.filter(({ prediction }) => prediction.fits),
    ],
    replicas: averaging.tried,
    innerSteps: averaging.method.innerSteps,
    request: averagingRequest(asked, tokens, lossLaw()),
    predict: predictStep,
  };
}

/**
 * What {@link compareBandwidths} finds.
 *
 * @category Planning a machine
 */
export interface BandwidthReport {
  readonly curves: readonly BandwidthCurve[];
  /** Where averaging comes to the same loss a tenth sooner; `null`: nowhere. */
  readonly averagingWins: BandwidthRange | null;
}

interface Limits {
  readonly usd?: number | undefined;
  readonly seconds?: number | undefined;
}

function limitsOf(cluster: Cluster, { budgetUsd, until, now }: PlanOptions): Limits {
  if (budgetUsd !== undefined && cluster.price === null) {
    throw new UsageError(
      `A budget in dollars needs a price, and ${cluster.name} has none. Give price_USD_per_hour in a cluster file.`,
    );
  }
  return { usd: budgetUsd, seconds: until === undefined ? undefined : secondsUntil(until, now ?? Date.now()) };
}

/** The measured runs that an interval is taken from: one's own where there are enough, else the published ones. */
function intervalPoints(
  calibration: Calibration | undefined,
  framework: Framework,
  cluster: Cluster,
): readonly ErrorPoint[] {
  const pair = pairKey(frameworkFamily(framework.name), cluster.accelerator.name);
  const own = calibration?.points.filter(({ source }) => source === pair) ?? [];
  return own.length >= OWN_INTERVAL ? own : shippedPoints;
}

/** The interval of another arrangement than the chosen one, as {@link Plan}'s `interval`. */
export function intervalOf({ model, cluster, framework, asked }: Plan, arrangement: Arrangement): TimeInterval {
  return timeInterval(model, cluster.accelerator, arrangement, intervalPoints(asked.calibration, framework, cluster));
}

/** The tokens that were asked for; where only a limit was given, as many as it allows. */
function tokensWithin(
  { usd, seconds }: Limits,
  { tokens, flop }: PlanOptions,
  wished: number,
  runsFor: (tokens: number) => readonly RunOption[],
): number {
  if (tokens !== undefined || flop !== undefined || (usd === undefined && seconds === undefined)) return wished;
  // With a date the part of the cluster that gets furthest counts; without, the whole cluster is meant.
  const allowed = (count: number) => {
    const runs = runsFor(count);
    const counted = seconds === undefined ? runs.slice(-1) : runs;
    const shares = counted.map(({ run }) => {
      const money = usd === undefined ? Number.POSITIVE_INFINITY : usd / run.usd!;
      return Math.min(money, seconds === undefined ? money : seconds / run.seconds);
    });
    return shares.length === 0 ? 1 : Math.max(...shares);
  };
  let count = wished;
  // Time and cost are all but proportional to the tokens; the second pass sets right what is not, and the margin is for
  // the last step, which is whole.
  for (let pass = 0; pass < 2; pass++) count = Math.max(1, Math.floor(count * allowed(count) * 0.998));
  return count;
}

function averagingRequest(options: PlanOptions, tokens: number, law: ParametricLaw): AveragingRequest {
  return {
    method: {
      outerPrecision: options.outerPrecision ?? 'bf16',
      vectors: options.moments === 'average' ? 3 : 1,
      fragments: options.fragments ?? 1,
      overlapSteps: options.overlapSteps ?? 0,
      ...(options.syncEvery === undefined ? {} : { innerSteps: options.syncEvery }),
    },
    ...(options.replicas === undefined ? {} : { replicas: options.replicas }),
    spread: options.speedSpread ?? 1,
    tokens,
    law,
  };
}

/** A replica is smaller than the cluster: how it is split inside is for its own search, unless the user said. */
function withoutDegrees({ data: _, expert: __, ...fixed }: Fixed): Fixed {
  return fixed;
}

function methodOf(
  { method = 'auto' }: PlanOptions,
  data: RunOption | null,
  averaging: AveragingPlan | null,
  fastest: number,
): Plan['method'] {
  if (method === 'averaging' && averaging !== null) return 'averaging';
  if (data === null) return averaging === null ? 'none' : 'averaging';
  return method === 'auto' && averaging !== null && averaging.equalLossSeconds < GAIN * fastest ? 'averaging' : 'data';
}

/** A run of which a failure stops one replica alone: the others go on, and it comes back to the next round. */
function averagedRun(
  averaging: AveragingPlan,
  workload: Workload,
  cluster: Cluster,
  tokens: number,
  accelerators: number,
): RunPlan {
  const { replicas } = averaging;
  const nodeMeanTimeBetweenFailures = cluster.nodeMeanTimeBetweenFailures * replicas;
  const options = { accelerators, nodeMeanTimeBetweenFailures };
  const run = planRun(stepOf(averaging), workload, cluster, { tokens }, options);
  return { ...run, failures: { ...run.failures, expected: run.failures.expected * replicas } };
}

function lossLaw(): ParametricLaw & { readonly source: string } {
  const law = findLaw(LAW);
  if (law.form !== 'parametric') throw new Error(`${LAW} is no parametric law`);
  return law;
}
