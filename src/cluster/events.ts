/** What `train` tells while it works. The command line prints these as JSON lines with `--json`. */
export type TrainEvent =
  | NoticeEvent
  | PreparingEvent
  | StartedEvent
  | ProgressEvent
  | EvaluationEvent
  | CheckpointEvent;

/** Something that the user should know and that stops nothing: an option ignored, files skipped, a lock taken over. */
export interface NoticeEvent {
  readonly type: 'notice';
  readonly message: string;
}

/** Long work before the first step: reading, tokenizing, measuring arrangements. */
export interface PreparingEvent {
  readonly type: 'preparing';
  readonly stage: string;
  /** 0 to 1, where it is known. */
  readonly fraction?: number;
}

/** The run is about to take its first step (or the first after a checkpoint). */
export interface StartedEvent {
  readonly type: 'started';
  readonly run: string;
  readonly step: number;
  readonly parameters: number;
  readonly replicas: number;
  readonly threads: number;
  readonly vocabulary: number;
  readonly trainTokens: number;
  readonly validationTokens: number;
}

/** After each round, and every few steps of one replica. */
export interface ProgressEvent {
  readonly type: 'progress';
  /** Inner steps done, per replica. */
  readonly step: number;
  readonly total_steps: number;
  readonly round: number;
  /** Mean training loss of the round, in nats per token. */
  readonly loss: number;
  readonly lr: number;
  /** Tokens trained on so far, over all replicas. */
  readonly tokens: number;
  readonly tokens_per_second: number;
  readonly eta_seconds: number;
}

export interface EvaluationEvent {
  readonly type: 'evaluation';
  readonly step: number;
  readonly val_loss: number;
}

export interface CheckpointEvent {
  readonly type: 'checkpoint';
  readonly step: number;
  readonly path: string;
}

/** The end of a run. */
export interface TrainResult {
  readonly type: 'result';
  /** The run's folder. */
  readonly run: string;
  readonly step: number;
  readonly tokens: number;
  /** Null where no step was taken. */
  readonly train_loss: number | null;
  readonly val_loss: number;
  readonly best_val_loss: number;
  /** Of all replicas, over the time spent in rounds but for the first 10 steps. */
  readonly tokens_per_second: number;
  /** Wall time of everything. */
  readonly seconds: number;
  readonly parameters: number;
  readonly replicas: number;
  readonly rounds: number;
  /** True when the run was asked to stop before its end; it can be resumed. */
  readonly interrupted: boolean;
}
