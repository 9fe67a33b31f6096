/**
 * Meanfield trains language models: replicas that are averaged into one model, run by ONNX Runtime.
 *
 * @example
 * import { load, train } from 'meanfield';
 *
 * const training = train({ corpus: ['book.txt'], run: 'runs/book', steps: 500 });
 * for await (const event of training) {
 *   if (event.type === 'evaluation') console.log(event.step, event.val_loss);
 * }
 * const model = await load('runs/book');
 * for await (const text of model.generate({ prompt: 'Once' })) process.stdout.write(text);
 * await model.close();
 *
 * @packageDocumentation
 */
export { MeanfieldError, UsageError } from './base/errors.js';
export type { GenerateOptions, Generation, GenerationResult } from './inference/index.js';
export { type EvaluateOptions, type LanguageModel, type LoadOptions, load } from './inference/language-model.js';
export type { TextEvaluation } from './inference/text-evaluator.js';
export { startTraining as train, type TrainingRun } from './local/train.js';
export type { FamilyName } from './model/family-names.js';
export type { PresetName } from './model/presets.js';
export type { ObjectiveName } from './objectives/names.js';
export {
  type ArchitectureDefinition,
  defineArchitecture,
  defineObjective,
  defineSamples,
  type FeedDefinition,
  type FeedValue,
  type Initialization,
  type ObjectiveDefinition,
  type ParameterSpec,
  type SampleList,
  type Samples,
  type SamplesDefinition,
} from './objectives/own/definitions.js';
export {
  type Accelerator,
  type Arrangement,
  type AveragingMethod,
  type AveragingPlan,
  type BandwidthCurve,
  type BandwidthRange,
  type BandwidthReport,
  type Calibration,
  type CalibrationResult,
  type Candidate,
  type Cluster,
  calibrate,
  compareBandwidths,
  type DescribedCluster,
  type ErrorPoint,
  type Fixed,
  type Framework,
  type FrameworkHabits,
  type MemoryUse,
  type OuterPrecision,
  type PairFit,
  type Plan,
  type PlanOptions,
  type Precision,
  plan,
  planPage,
  type QualityCost,
  type Replica,
  type ReplicaLink,
  type RoundTime,
  type RunOption,
  type RunPlan,
  readCluster,
  readModel,
  type SearchResult,
  type Source,
  type StepPrediction,
  type StepTime,
  type StrategyResult,
  type TimeInterval,
  type UnevenRound,
  type Workload,
} from './planner/index.js';
export type {
  CheckpointEvent,
  EvaluationEvent,
  NoticeEvent,
  OwnProgressEvent,
  OwnStartedEvent,
  OwnTrainEvent,
  OwnTrainResult,
  PreparingEvent,
  ProgressEvent,
  StartedEvent,
  TrainEvent,
  TrainResult,
  TrainSettings,
} from './run/events.js';
export type { OwnTrainOptions, TrainOptions } from './run/options.js';
