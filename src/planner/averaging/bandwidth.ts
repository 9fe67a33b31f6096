import { type Candidate, modelOf, type Predict } from '../search/types.js';
import type { Arrangement, Cluster, Framework, StepPrediction, StepTime, Workload } from '../types.js';
import { type AveragingPlan, type AveragingRequest, type PlannedReplica, soonest, stepOf } from './choose.js';
import type { AveragingMethod } from './types.js';

/**
 * How a method's utilisation depends on the network between nodes.
 *
 * @category Planning a machine
 */
export interface BandwidthCurve {
  readonly method: string;
  /** Bytes a second and direction of a node, ascending; FLOP of the model over what all accelerators could do, 0 to 1. */
  readonly points: readonly { readonly bandwidth: number; readonly utilization: number }[];
}

/** What is needed to predict both methods on another network. */
export interface Comparison {
  readonly workload: Workload;
  readonly cluster: Cluster;
  readonly framework: Framework;
  /** Arrangements with an exchange every step, of which the fastest counts at each bandwidth. */
  readonly everyStep: readonly Candidate[];
  /** Replicas, of which those that come to the same loss soonest count at each bandwidth. */
  readonly replicas: readonly PlannedReplica[];
  readonly request: AveragingRequest;
  /** H of the curves. */
  readonly innerSteps: number;
  readonly predict: Predict;
}

/** Bandwidths of a node from a slow line to more than any network has, bytes a second: 12 a decade. */
const BANDWIDTHS = Array.from({ length: 85 }, (_, i) => 1.25e5 * 10 ** (i / 12));

/** Methods whose curves are drawn beside an exchange every step. */
const VARIANTS: readonly (readonly [name: string, change: Partial<AveragingMethod>])[] = [
  ['fp32', { outerPrecision: 'fp32', fragments: 1, overlapSteps: 0 }],
  ['bf16', { outerPrecision: 'bf16', fragments: 1, overlapSteps: 0 }],
  ['int8', { outerPrecision: 'int8', fragments: 1, overlapSteps: 0 }],
  // Fragments that take turns all the time, as far as H allows (arXiv 2501.18512 uses 3 layers each).
  ['int4, streaming', { outerPrecision: 'int4', fragments: 5, overlapSteps: Number.POSITIVE_INFINITY }],
];

/** Replicas whose gap in loss costs more tokens than this are not drawn: they are busy for nothing. */
const BEARABLE = 1.5;

/** Utilisation against bandwidth of an exchange every step, and of averaging every H in four ways. */
export function bandwidthCurves(comparison: Comparison): BandwidthCurve[] {
  const { innerSteps, request, workload, cluster, everyStep } = comparison;
  const rate = cluster.accelerator.rates[everyStep[0]!.arrangement.precision]! * cluster.accelerators;
  // Of all accelerators, so that leaving most of them idle does not look well.
  const ofAll = ({ modelFlop, time }: StepPrediction) => modelFlop / time.total / rate;
  const curve = (method: string, utilization: (bandwidth: number) => number): BandwidthCurve => ({
    method,
    points: BANDWIDTHS.map((bandwidth) => ({ bandwidth, utilization: utilization(bandwidth) })),
  });
  return [
    curve('every step', (bandwidth) => ofAll(everyStepAt(comparison, bandwidth))),
    ...VARIANTS.map(([name, change]) =>
      curve(`every ${innerSteps} steps, ${name}`, (bandwidth) => {
        const method = { ...request.method, ...change, innerSteps };
        const plans = replicasAt(comparison, bandwidth).map((replica) =>
          soonest(workload, { ...cluster, interNode: bandwidth }, [replica], { ...request, method }),
        );
        const bearable = plans.filter(({ tokenFactor }) => tokenFactor <= BEARABLE);
        return Math.max(...(bearable.length > 0 ? bearable : plans).map((plan) => ofAll(stepOf(plan))));
      }),
    ),
  ];
}

/**
 * Bandwidths of a node between which averaging comes to the same loss a tenth sooner or more, bytes a second.
 *
 * @category Planning a machine
 */
export interface BandwidthRange {
  /** 0: at any slower one, too. Below it, one node by itself is sooner done. */
  readonly from: number;
  /** Infinite: at any faster one, too. Above it, an exchange every step is sooner done. */
  readonly to: number;
}

/** What averaging must gain to count as better: less is within the error of a prediction. */
export const GAIN = 0.9;

/** Where averaging reaches the same loss a tenth sooner than an exchange every step does, or more; `null`: nowhere. */
export function crossover(comparison: Comparison): BandwidthRange | null {
  const ahead = (bandwidth: number) =>
    averagingAt(comparison, bandwidth, comparison.request).equalLossSeconds <
    GAIN * everyStepAt(comparison, bandwidth).time.total;
  const coarse = BANDWIDTHS.filter((_, i) => i % 4 === 0);
  const places = coarse.map(ahead);
  const last = places.lastIndexOf(true);
  if (last < 0) return null;
  const first = places.lastIndexOf(false, last) + 1;
  return {
    from: first === 0 ? 0 : edge(coarse[first]!, coarse[first - 1]!, ahead),
    to: last === places.length - 1 ? Number.POSITIVE_INFINITY : edge(coarse[last]!, coarse[last + 1]!, ahead),
  };
}

/** Where a condition ends between a value at which it holds and one at which it does not. */
function edge(inside: number, outside: number, holds: (value: number) => boolean): number {
  let [yes, no] = [inside, outside];
  while (Math.abs(Math.log(no / yes)) > 0.01) {
    const middle = Math.sqrt(yes * no);
    if (holds(middle)) yes = middle;
    else no = middle;
  }
  return yes;
}

function everyStepAt(
  { workload, cluster, framework, everyStep, predict }: Comparison,
  bandwidth: number,
): StepPrediction {
  const model = modelOf(predict, workload, { ...cluster, interNode: bandwidth }, framework);
  let [best, time]: [Arrangement?, StepTime?] = [];
  // The best of a strategy is often that of a grid or a number of devices too.
  for (const arrangement of new Set(everyStep.map((candidate) => candidate.arrangement))) {
    const own = model.time(arrangement);
    if (time === undefined || own.total < time.total) [best, time] = [arrangement, own];
  }
  return model.step(best!, model.room(best!), time);
}

function averagingAt(comparison: Comparison, bandwidth: number, request: AveragingRequest): AveragingPlan {
  const { workload, cluster } = comparison;
  return soonest(workload, { ...cluster, interNode: bandwidth }, replicasAt(comparison, bandwidth), request);
}

/** The replicas on another network, each in its arrangement. */
function replicasAt(
  { workload, cluster, framework, replicas, predict }: Comparison,
  bandwidth: number,
): PlannedReplica[] {
  const scale = bandwidth / cluster.interNode;
  return replicas.map(({ replicas: count, island, inner }) => {
    const there = { ...island, interNode: island.interNode * scale };
    // What stays in a node is the same on any network.
    if (island.accelerators <= island.perNode) return { replicas: count, island: there, inner };
    const prediction = predict(workload, there, inner.arrangement, framework);
    return { replicas: count, island: there, inner: { arrangement: inner.arrangement, prediction } };
  });
}
