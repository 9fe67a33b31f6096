import type { ParametricLaw } from '../planner/laws/parametric.js';
import type { NoticeEvent, PreparingEvent } from '../run/events.js';
import type { GapLaw, GapPoint } from './gap-fit.js';
import type { LadderJob, TunedRates } from './jobs.js';

/** What `scale` tells while it works. */
export type ScaleEvent =
  | NoticeEvent
  | PreparingEvent
  | LadderEvent
  | JobEvent
  | LadderProgressEvent
  | PredictionEvent
  | GapPredictionEvent;

/** A job of a ladder, and how long it is expected to take. */
export interface PlannedJob {
  readonly kind: LadderJob['kind'];
  readonly parameters: number;
  readonly layers: number;
  readonly width: number;
  readonly steps: number;
  readonly tokens: number;
  /** Replicas, a thread each. */
  readonly replicas: number;
  /** On one thread, with as many runs beside it as there are places. */
  readonly seconds: number;
  readonly done: boolean;
}

/** The ladder as it was planned: all of its jobs, of searches for a rate as many as are expected. */
export interface LadderEvent {
  readonly type: 'ladder';
  readonly out: string;
  readonly jobs: readonly PlannedJob[];
  /** Until all are done, side by side. */
  readonly seconds: number;
  readonly places: number;
}

/** A job is done. */
export interface JobEvent {
  readonly type: 'job';
  readonly id: string;
  readonly kind: LadderJob['kind'];
  readonly parameters: number;
  readonly tokens: number;
  readonly rate: number;
  readonly seed: number;
  /** Of a run of averaged replicas. */
  readonly replicas?: number;
  readonly syncEvery?: number;
  /** Nats a byte of the held-out text; null where it diverged. */
  readonly loss: number | null;
  readonly seconds: number;
}

/** How far the ladder is, every now and then. */
export interface LadderProgressEvent {
  readonly type: 'progress';
  readonly stage: LadderJob['kind'];
  /** Jobs done, and all that are known of. */
  readonly done: number;
  readonly jobs: number;
  /** Of the expected work, 0 to 1. */
  readonly fraction: number;
  readonly etaSeconds: number;
  /** Those in work. */
  readonly running: readonly {
    readonly id: string;
    readonly step: number;
    readonly steps: number;
    readonly loss: number;
  }[];
}

/** A law fitted to the rungs, and what it says of the run that is about to be trained. */
export interface PredictionEvent {
  readonly type: 'prediction';
  readonly law: ParametricLaw;
  readonly parameters: number;
  readonly tokens: number;
  /** Nats a byte, with the ends of the interval of 90 %. */
  readonly loss: number;
  readonly low: number;
  readonly high: number;
}

/** A law of what averaging costs, and what it says of runs that are about to be trained. */
export interface GapPredictionEvent {
  readonly type: 'gap_prediction';
  readonly law: GapLaw;
  readonly gaps: readonly GapPoint[];
}

/** The gap of averaged replicas beside its prediction; both are shares of the loss. */
export interface GapTruth extends GapPoint {
  readonly predicted: number;
}

/** A run of the predicted model beside its prediction. */
export interface Truth {
  readonly seed: number;
  /** Nats a byte. */
  readonly loss: number;
  /** The prediction over it, less one. */
  readonly error: number;
  /** Whether it lies in the interval of 90 %. */
  readonly inside: boolean;
}

/** The end of a ladder. */
export interface ScaleResult {
  readonly type: 'result';
  readonly out: string;
  /** Missing where it was stopped before. */
  readonly rates?: TunedRates;
  readonly law?: ParametricLaw;
  /** Runs that it was fitted to, and the root mean square of their errors, nats a byte. */
  readonly points?: number;
  readonly rmse?: number;
  readonly prediction?: Omit<PredictionEvent, 'type' | 'law'>;
  readonly truths: readonly Truth[];
  /** Where averaging was measured: its law, the gaps that it was fitted to, and those that it predicts. */
  readonly gaps?: { readonly law: GapLaw; readonly fitted: readonly GapPoint[]; readonly truths: readonly GapTruth[] };
  /** The law and the page, as soon as there is a prediction. */
  readonly files: readonly string[];
  /** Of this process. */
  readonly seconds: number;
  /** Whether it was asked to stop before its end. */
  readonly interrupted: boolean;
}
