/**
 * Meanfield trains language models: replicas that are averaged into one model, run by ONNX Runtime.
 *
 * @example
 * import { load, train } from 'meanfield';
 *
 * const training = train({ corpus: ['book.txt'], run: 'runs/book', steps: 500 });
 * for await (const event of training) {
 *   if (event.type === 'evaluation') console.log(event.step, event.valLoss);
 * }
 * const model = await load('runs/book');
 * for await (const text of model.generate({ prompt: 'Once' })) process.stdout.write(text);
 * await model.close();
 *
 * @packageDocumentation
 */
import type { Cluster, Plan, PlanOptions, Workload } from './planner/index.js';

export { MeanfieldError, UsageError } from './base/errors.js';
export { exportModel } from './export/export-model.js';
export type { ExportDtype, FormatName } from './export/formats.js';
export type { ExportOptions, ExportProgress, ExportResult } from './export/options.js';
export type { GenerateOptions, Generation, GenerationResult } from './inference/index.js';
export type { LanguageModel } from './inference/language-model.js';
export { load } from './inference/load.js';
export type { EmbedOptions, EvaluateOptions, LoadOptions } from './inference/options.js';
export type { ConversationEvaluation } from './inference/row-evaluator.js';
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
export type {
  CheckpointEvent,
  EvaluationEvent,
  MemoryFit,
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
export type { GivenText } from './run/given-text.js';
export type { OwnTrainOptions, TrainOptions } from './run/options.js';
export type { Cluster, Plan, PlanOptions, Workload };

/**
 * Plans the training of a model on a cluster: whether it fits, how it is arranged, how long it takes, what it costs, and
 * why the alternatives lose. `meanfield/planner` has the same without the promise, and all else of the planner.
 *
 * @param model a name of the catalogue, or a workload
 * @param cluster a name of the catalogue, `64xh100`, or a cluster
 * @throws UsageError for unknown names, with the nearest; for options that exclude one another or cannot be
 * @throws MeanfieldError when failures come so fast that the run would never end
 *
 * @example
 * import { plan } from 'meanfield';
 *
 * const { run, search } = await plan('turing-nlg-17b', 'azure-openai-2020');
 * console.log(run?.days, search.best?.arrangement);
 *
 * @category Planning a machine
 */
export async function plan(
  model: string | Workload,
  cluster: string | Cluster,
  options: PlanOptions = {},
): Promise<Plan> {
  // Loaded when it is needed: its catalogue is large.
  const planner = await import('./planner/index.js');
  return planner.plan(model, cluster, options);
}
