import type { StepModel, StepRoom } from '../step/step.js';
import type { Arrangement, Cluster, Framework, StepPrediction, StepTime, Workload } from '../types.js';

/** The signature of `predictStep`, so that a search can be tried on a step that is known exactly. */
export interface Predict {
  (workload: Workload, cluster: Cluster, arrangement: Arrangement, framework: Framework): StepPrediction;
  /** The same in parts, for many arrangements. */
  readonly model?: (workload: Workload, cluster: Cluster, framework: Framework) => StepModel;
}

/** Steps of one model on one machine in parts; where a prediction has none, each is taken from the whole. */
export function modelOf(predict: Predict, workload: Workload, cluster: Cluster, framework: Framework): StepModel {
  if (predict.model !== undefined) return predict.model(workload, cluster, framework);
  const step = (arrangement: Arrangement): StepPrediction => predict(workload, cluster, arrangement, framework);
  const time = (arrangement: Arrangement): StepTime => step(arrangement).time;
  return { room: (arrangement: Arrangement): StepRoom => step(arrangement), time, step };
}

/**
 * What a search may not choose: sizes of a step, and any choice that someone has already made.
 *
 * @category Planning a machine
 */
export type Fixed = Pick<Arrangement, 'globalBatch' | 'sequence' | 'precision' | 'flashAttention'> &
  Partial<Omit<Arrangement, 'globalBatch' | 'sequence' | 'precision' | 'flashAttention'>>;

/**
 * An arrangement and what it takes.
 *
 * @category Planning a machine
 */
export interface Candidate {
  readonly arrangement: Arrangement;
  readonly prediction: StepPrediction;
}

/**
 * The best of one kind of arrangement, or the one that came nearest to fitting.
 *
 * @category Planning a machine
 */
export interface StrategyResult extends Candidate {
  /** Such as `tensor + pipeline`; see `strategyOf`. */
  readonly strategy: string;
}

/**
 * What a search found.
 *
 * @category Planning a machine
 */
export interface SearchResult {
  /** The fastest that fits; none where nothing fits. */
  readonly best: Candidate | null;
  /** The fastest of other grids (data × context × tensor × pipeline), best first. */
  readonly alternatives: readonly Candidate[];
  /** The fastest on the whole cluster, on half of it, a quarter, and so on, by devices: what more devices buy. */
  readonly front: readonly Candidate[];
  /** The best of each strategy, fastest first; those that do not fit at the end, nearest first. */
  readonly strategies: readonly StrategyResult[];
  /** Arrangements in the space. */
  readonly considered: number;
  /** Of these, predicted; the others were ruled out by a bound or by a better one of the same kind. */
  readonly evaluated: number;
}
