import type { ParametricLaw } from '../laws/parametric.js';
import { searchArrangements } from '../search/search.js';
import type { Candidate, Fixed, Predict } from '../search/types.js';
import type { Cluster, Framework, StepPrediction, Workload } from '../types.js';
import { contributionBytes } from './outer-bytes.js';
import { type QualityCost, qualityCost, tokenFactor } from './quality.js';
import { type Division, divisionsOf, linkOf } from './replicas.js';
import { roundTime } from './round.js';
import { spreadSteps, type UnevenRound, unevenRound } from './speeds.js';
import type { AveragingMethod, ReplicaLink, RoundTime } from './types.js';

/** What is asked of periodic averaging, and what is given. */
export interface AveragingRequest {
  /** Choices that are made already; `innerSteps` left out is chosen among 10, 30, 100 and 300. */
  readonly method: Omit<AveragingMethod, 'innerSteps'> & { readonly innerSteps?: number };
  /** How many replicas; left out, chosen. */
  readonly replicas?: number;
  /** How much faster the fastest replica is than the slowest; 1: all alike. */
  readonly spread: number;
  /** Tokens of the whole run, for what a gap in loss costs. */
  readonly tokens: number;
  readonly law: ParametricLaw;
}

/**
 * A way to cut a cluster into replicas, and the best arrangement of one.
 *
 * @category Planning a machine
 */
export interface PlannedReplica extends Division {
  /** Within its island; its batch is the replica's share. */
  readonly inner: Candidate;
}

/**
 * Periodic averaging on a cluster, as it would be done and what it takes.
 *
 * @category Planning a machine
 */
export interface AveragingPlan extends PlannedReplica {
  readonly method: AveragingMethod;
  readonly round: RoundTime;
  /** Each replica's inner steps where speeds differ. */
  readonly uneven: UnevenRound | null;
  readonly quality: QualityCost;
  /** Times the tokens that make up for the gap in loss. */
  readonly tokenFactor: number;
  /** Seconds in which all replicas together do a step of the global batch. */
  readonly stepSeconds: number;
  /** `stepSeconds · tokenFactor`: what a step takes on the way to the same loss. */
  readonly equalLossSeconds: number;
  /** What one replica has of the network. */
  readonly link: ReplicaLink;
  /** Bytes of what one replica contributes to a round. */
  readonly contribution: number;
  /** Bytes on each replica's hosts for the outer parameters and their momentum, fp32. */
  readonly outerBytes: number;
  /** All that it was chosen from. */
  readonly tried: readonly PlannedReplica[];
}

const INNER_STEPS = [10, 30, 100, 300];

/** Sizes of a replica that are tried, from the smallest that fits and from the largest. */
const TRIED = 2;

/**
 * Chooses size, arrangement and H of replicas so that a run comes to the same loss soonest.
 *
 * @param fixed as in `searchArrangements`; the batch is that of all replicas
 * @returns `null` where no part of the cluster holds a replica, or there is but one
 */
export function chooseAveraging(
  workload: Workload,
  cluster: Cluster,
  framework: Framework,
  fixed: Fixed,
  request: AveragingRequest,
  predict: Predict,
): AveragingPlan | null {
  const tried = [...replicasThatFit(workload, cluster, framework, fixed, request, predict)];
  return tried.length === 0 ? null : soonest(workload, cluster, tried, request);
}

/** The best of replicas and cadences. @param tried not empty */
export function soonest(
  workload: Workload,
  cluster: Cluster,
  tried: readonly PlannedReplica[],
  request: AveragingRequest,
): AveragingPlan {
  const { method: asked } = request;
  const cadences = asked.innerSteps === undefined ? INNER_STEPS : [asked.innerSteps];
  let best: Omit<AveragingPlan, 'tried'> | undefined;
  for (const replica of tried) {
    for (const innerSteps of cadences) {
      const overlapSteps = Math.min(asked.overlapSteps, innerSteps / asked.fragments);
      const each = averagingPlan(workload, cluster, replica, { ...asked, innerSteps, overlapSteps }, request);
      if (best === undefined || each.equalLossSeconds < best.equalLossSeconds) best = each;
    }
  }
  return { ...best!, tried };
}

/** The smallest replicas that fit, nodes, and the largest that there are two of, each with its best arrangement. */
function* replicasThatFit(
  workload: Workload,
  cluster: Cluster,
  framework: Framework,
  fixed: Fixed,
  request: AveragingRequest,
  predict: Predict,
): Generator<PlannedReplica> {
  const all = divisionsOf(cluster, fixed.globalBatch).filter(
    ({ replicas }) => request.replicas === undefined || replicas === request.replicas,
  );
  let fitting = 0;
  for (const [i, division] of all.entries()) {
    const isNode = division.island.accelerators === cluster.perNode;
    if (fitting >= TRIED && i < all.length - TRIED && !isNode) continue;
    const share = { ...fixed, globalBatch: fixed.globalBatch / division.replicas };
    const { best } = searchArrangements(workload, division.island, framework, share, predict, 'best');
    if (best === null) continue;
    fitting++;
    yield { ...division, inner: best };
    if ((fitting === 1 || isNode) && request.replicas === undefined) {
      yield* fewer({ ...division, inner: best }, workload, framework, fixed.globalBatch, predict);
    }
  }
}

/** Fewer of the same replicas, each with a larger share of the batch: many replicas cost quality, so idle ones may pay. */
function* fewer(
  { replicas, island, inner }: PlannedReplica,
  workload: Workload,
  framework: Framework,
  globalBatch: number,
  predict: Predict,
): Generator<PlannedReplica> {
  for (let count = 2; count < replicas; count *= 2) {
    if (globalBatch % (count * inner.arrangement.data * inner.arrangement.microBatch) !== 0) continue;
    const arrangement = { ...inner.arrangement, globalBatch: globalBatch / count };
    const prediction = predict(workload, island, arrangement, framework);
    yield { replicas: count, island, inner: { arrangement, prediction } };
  }
}

/** What averaging takes with everything chosen. */
function averagingPlan(
  workload: Workload,
  cluster: Cluster,
  { replicas, island, inner }: PlannedReplica,
  method: AveragingMethod,
  { spread, tokens, law }: Pick<AveragingRequest, 'spread' | 'tokens' | 'law'>,
): Omit<AveragingPlan, 'tried'> {
  const innerSeconds = inner.prediction.time.total;
  const link = linkOf(cluster, island);
  const round = roundTime(replicas, workload.parameters, innerSeconds, link, method);
  const uneven = spread > 1 ? unevenRound(spreadSteps(replicas, innerSeconds, spread), method.innerSteps, true) : null;
  const quality = qualityCost(workload.parameters, replicas, method.innerSteps);
  const factor = tokenFactor(quality.gap, workload.parameters, tokens, law);
  // A round in which each does steps after its speed still does H steps a replica in the mean.
  const steps = uneven === null ? method.innerSteps : uneven.stepsPerSecond * (uneven.seconds / replicas);
  const seconds = (uneven === null ? round.compute : uneven.seconds) + round.exposed;
  const stepSeconds = seconds / steps;
  return {
    replicas,
    island,
    inner,
    method,
    round,
    uneven,
    quality,
    tokenFactor: factor,
    stepSeconds,
    equalLossSeconds: stepSeconds * factor,
    link,
    contribution: contributionBytes(workload.parameters, method),
    outerBytes: 8 * workload.parameters,
  };
}

/** A step of all replicas as a prediction: the inner one's memory, all replicas' work, the waiting as communication. */
export function stepOf({ inner, replicas, stepSeconds, round, method }: AveragingPlan): StepPrediction {
  const { prediction } = inner;
  const { time } = prediction;
  return {
    ...prediction,
    time: { ...time, dataCommunication: time.dataCommunication + stepSeconds - time.total, total: stepSeconds },
    tokensPerSecond: (replicas * prediction.tokensPerSecond * time.total) / stepSeconds,
    modelFlop: replicas * prediction.modelFlop,
    hardwareFlop: replicas * prediction.hardwareFlop,
    utilization: (prediction.utilization * time.total) / stepSeconds,
    bytesInter: prediction.bytesInter + round.bytes / method.innerSteps,
  };
}
