export {
  type BandwidthCurve,
  type BandwidthRange,
  bandwidthCurves,
  type Comparison,
  crossover,
  GAIN,
} from './bandwidth.js';
export { type AveragingPlan, type AveragingRequest, chooseAveraging, type PlannedReplica, stepOf } from './choose.js';
export type { QualityCost } from './quality.js';
export { checkReplicas } from './replicas.js';
export type { UnevenRound } from './speeds.js';
export type { AveragingMethod, OuterPrecision, ReplicaLink, RoundTime } from './types.js';
