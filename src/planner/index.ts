export type {
  AveragingMethod,
  AveragingPlan,
  BandwidthCurve,
  BandwidthRange,
  OuterPrecision,
  QualityCost,
  Replica,
  ReplicaLink,
  RoundTime,
  UnevenRound,
} from './averaging/index.js';
export { type Calibration, type CalibrationResult, calibrate, type PairFit } from './calibration/calibrate.js';
export type { ErrorPoint, TimeInterval } from './calibration/interval.js';
export { type DescribedCluster, describeModel, readCluster, readModel } from './catalogue/index.js';
export { averagingWins, type BandwidthReport, compareBandwidths, type Plan, plan } from './plan.js';
export { type Largest, largestModel } from './planning/largest.js';
export type { PlanOptions } from './planning/options.js';
export type { RunOption } from './planning/runs.js';
export { planPage } from './report/index.js';
export type { Candidate, Fixed, SearchResult, StrategyResult } from './search/index.js';
export type {
  Accelerator,
  Arrangement,
  Cluster,
  Framework,
  FrameworkHabits,
  MemoryUse,
  Precision,
  Source,
  StepPrediction,
  StepTime,
  Workload,
} from './types.js';
export type { RunPlan } from './whole-run/index.js';
