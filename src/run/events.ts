import type { NodeDevice } from '../engine/node/device-names.js';
import type { MomentsPrecision } from '../training/moments.js';

/**
 * What `train` tells while it works. The command line prints these as JSON lines with `--json`.
 *
 * @category Training
 */
export type TrainEvent =
  | NoticeEvent
  | PreparingEvent
  | StartedEvent
  | ProgressEvent
  | EvaluationEvent
  | CheckpointEvent;

/**
 * What `train` tells of a model of one's own while it works.
 *
 * @category A model of one's own
 */
export type OwnTrainEvent = Exclude<TrainEvent, StartedEvent | ProgressEvent> | OwnStartedEvent | OwnProgressEvent;

/**
 * The run is about to take its first step (or the first after a checkpoint).
 *
 * @category A model of one's own
 */
export interface OwnStartedEvent
  extends Omit<StartedEvent, 'vocabulary' | 'trainTokens' | 'validationTokens' | 'settings'> {
  readonly trainSamples: number;
  readonly validationSamples: number;
  /** What is in force of the options that decide speed and outcome, under their own names. */
  readonly settings?: Omit<TrainSettings, 'context'>;
}

/**
 * After each round, and every few steps of one replica; the loss is the mean over targets.
 *
 * @category A model of one's own
 */
export interface OwnProgressEvent extends Omit<ProgressEvent, 'tokens' | 'tokensPerSecond'> {
  /** Samples trained on so far, over all replicas. */
  readonly samples: number;
  readonly samplesPerSecond: number;
}

/**
 * The end of a run of a model of one's own.
 *
 * @category A model of one's own
 */
export interface OwnTrainResult extends Omit<TrainResult, 'tokens' | 'tokensPerSecond' | 'bitsPerByte'> {
  /** Samples trained on, over all replicas. */
  readonly samples: number;
  /** Of all replicas, over the time spent in rounds but for the first 10 steps. */
  readonly samplesPerSecond: number;
}

/**
 * Something that the user should know and that stops nothing: an option ignored, files skipped, a lock taken over.
 *
 * @category Training
 */
export interface NoticeEvent {
  readonly type: 'notice';
  readonly message: string;
  /** Of the notice that says how a run with `memory` is trained. */
  readonly fit?: MemoryFit;
}

/**
 * How a run is trained so that it fits into its memory.
 *
 * @category Training
 */
export interface MemoryFit {
  /** What of the model is on disk. */
  readonly offload: 'none' | 'moments' | 'all' | 'all+states';
  /** Whether activations that are cheap to make are made twice. */
  readonly recompute: boolean;
  /** In what moments are kept, where it is not what the options say. */
  readonly momentsPrecision?: MomentsPrecision;
  /** What it may take, and about what it will, in bytes. */
  readonly limitBytes: number;
  readonly memoryBytes: number;
  /** In the run's folder, beside checkpoints. */
  readonly diskBytes: number;
  /** That a step moves to and from the disk. */
  readonly stepDiskBytes: number;
  /** What a step computes, as a multiple of what it would with the whole model and all activations in memory. */
  readonly stepFactor: number;
}

/**
 * Long work before the first step: reading, tokenizing, measuring arrangements.
 *
 * @category Training
 */
export interface PreparingEvent {
  readonly type: 'preparing';
  readonly stage: string;
  /** 0 to 1, where it is known. */
  readonly fraction?: number;
}

/**
 * The run is about to take its first step (or the first after a checkpoint).
 *
 * @category Training
 */
export interface StartedEvent {
  readonly type: 'started';
  readonly run: string;
  readonly step: number;
  readonly parameters: number;
  /** Of them, those that stay as they are; missing where all are trained. */
  readonly frozen?: number;
  /** Parameters of the model whose probabilities are learned; missing where there is none. */
  readonly teacher?: number;
  readonly replicas: number;
  readonly threads: number;
  readonly vocabulary: number;
  readonly trainTokens: number;
  readonly validationTokens: number;
  /** What is in force of the options that decide speed and outcome, under their own names. */
  readonly settings?: TrainSettings;
  /** What the run is expected to take at its peak, in bytes; on the CPU alone. */
  readonly expectedMemoryBytes?: number;
  /** What the process may take, as it was found before the first step. */
  readonly availableMemoryBytes?: number;
}

/**
 * Options of a run with what was chosen for those left open.
 *
 * @category Training
 */
export interface TrainSettings {
  readonly device: NodeDevice;
  readonly context: number;
  readonly batchSize: number;
  readonly gradAccum: number;
  readonly syncEvery: number;
  /** The peak of the schedule. */
  readonly lr: number;
  readonly minLr: number;
  readonly warmup: number;
  /** Over which the learning rate falls; missing where time does that. */
  readonly steps?: number;
  readonly minutes?: number;
  readonly evalEvery: number;
  readonly patience?: number;
  readonly seed: number;
}

/**
 * After each round, and every few steps of one replica.
 *
 * @category Training
 */
export interface ProgressEvent {
  readonly type: 'progress';
  /** Inner steps done, per replica. */
  readonly step: number;
  readonly totalSteps: number;
  readonly round: number;
  /** Mean training loss of the round, in nats per token. */
  readonly loss: number;
  readonly lr: number;
  /** Tokens trained on so far, over all replicas. */
  readonly tokens: number;
  readonly tokensPerSecond: number;
  readonly etaSeconds: number;
  /** Of the process, now and at its peak; told by `train`. */
  readonly memoryBytes?: number;
  readonly peakMemoryBytes?: number;
}

/**
 * The validation loss of the committed parameters, with what a model of them is like; `train` tells all of it.
 *
 * @category Training
 */
export interface EvaluationEvent {
  readonly type: 'evaluation';
  readonly step: number;
  /** In nats per token. */
  readonly valLoss: number;
  /** The same loss over the bytes of the text: comparable between tokenizers. */
  readonly bitsPerByte?: number;
  readonly bestValLoss?: number;
  readonly bestStep?: number;
  /** Evaluations since the best one, 0 for the best itself. */
  readonly evaluationsSinceBest?: number;
  /** Means of the other metrics, of an objective that tells them: of preferences `reward_accuracy` and `reward_margin`. */
  readonly metrics?: Readonly<Record<string, number>>;
  /** The beginning of a text that the parameters write, always by the same chance. */
  readonly sample?: string;
}

/**
 * Everything that the run needs to go on is saved.
 *
 * @category Training
 */
export interface CheckpointEvent {
  readonly type: 'checkpoint';
  readonly step: number;
  readonly path: string;
}

/**
 * The end of a run.
 *
 * @category Training
 */
export interface TrainResult {
  readonly type: 'result';
  /** The run's folder. */
  readonly run: string;
  /** What was learned, as `objective` names it. */
  readonly objective: string;
  readonly step: number;
  readonly tokens: number;
  /** Null where no step was taken. */
  readonly trainLoss: number | null;
  readonly valLoss: number;
  readonly bestValLoss: number;
  /** The step of the best model, which is in `model/`. */
  readonly bestStep: number;
  /** The best loss in bits over the bytes of the text; left out where it is not over all of them. */
  readonly bitsPerByte?: number;
  /** Why the run is over: its length, its time, a loss that was to be reached, no progress any more, or a stop. */
  readonly ended: 'steps' | 'minutes' | 'loss' | 'patience' | 'stopped';
  /** Of the process, in bytes. */
  readonly peakMemoryBytes: number;
  /** Of all replicas, over the time spent in rounds but for the first 10 steps. */
  readonly tokensPerSecond: number;
  /** Wall time of everything. */
  readonly seconds: number;
  readonly parameters: number;
  readonly replicas: number;
  readonly rounds: number;
  /** True when the run was asked to stop before its end; it can be resumed. */
  readonly interrupted: boolean;
}
