export type {
  AveragingMethod,
  AveragingPlan,
  BandwidthCurve,
  BandwidthRange,
  OuterPrecision,
  PlannedReplica,
  QualityCost,
  ReplicaLink,
  RoundTime,
  UnevenRound,
} from './averaging/index.js';
export { type DescribedCluster, describeModel, readCluster, readModel } from './catalogue/index.js';
export { planPage } from './report/page.js';
export type { Calibration } from './run/calibration.js';
export type { ErrorPoint, TimeInterval } from './run/interval.js';
export { type Largest, largestModel } from './run/largest-model.js';
export type { PlanOptions } from './run/options.js';
export { averagingWins, type BandwidthReport, compareBandwidths, type Plan, plan } from './run/plan.js';
export type { RunPlan } from './run/plan-run.js';
export type { RunOption } from './run/runs.js';
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
export { type CalibrationResult, calibrate, type PairFit } from './validate/calibrate.js';
