import type { OuterOptions } from '../averaging/outer-step.js';
import type { JsonObject } from '../base/json.js';
import type { SamplerState } from '../data/index.js';
import type { NodeDevice } from '../engine/node/device-names.js';
import type { TaskSetup } from '../run/task.js';
import type { AdamwOptions } from '../training/adamw.js';
import type { LossSum } from '../training/evaluation.js';
import type { LossScaleState } from '../training/loss-scale.js';
import type { Moment } from '../training/moments.js';
import type { TrainingPrecision } from '../training/precision-names.js';
import type { ScheduleOptions } from '../training/schedule.js';
import type { ZeroStage } from '../training/streamed/sharded/sharded-sections.js';
import type { VectorName } from '../training/trained-vectors.js';
import type { Placement } from './offload-need.js';
import type { CollectiveMemory } from './shared-collective.js';

/**
 * What replicas give each other between their steps: nothing (there is one, or they exchange within their steps), gradients after
 * every step, or parameters after H steps.
 */
export type ReplicaExchange = 'nothing' | 'gradients' | 'parameters';

/** All that a thread needs to be a replica, but for the parameters. */
export interface ReplicaSetup {
  /** From 0; the order of sums. */
  readonly replica: number;
  readonly replicas: number;
  readonly device: NodeDevice;
  readonly threads: number;
  /** What is learned, and from what. */
  readonly task: TaskSetup;
  readonly batchSize: number;
  readonly gradAccum: number;
  readonly seed: number;
  readonly optimizer: AdamwOptions;
  /** The share of activations that a step drops; none where left out. */
  readonly dropout?: number | undefined;
  /** What products of linear layers are computed in; fp32 where left out. */
  readonly precision?: TrainingPrecision | undefined;
  /** Whether activations that are cheap to make are made twice; by the model's size where left out. */
  readonly recompute?: boolean | undefined;
  readonly schedule: ScheduleOptions;
  readonly exchange: ReplicaExchange;
  readonly outer: OuterOptions;
  /** Whether moments are averaged with the parameters. */
  readonly averageMoments: boolean;
  /**
   * Of averaged gradients: whether a replica has the moments of its own shard alone, and makes the step of that for all (ZeRO,
   * arXiv 1910.02054, stage 1).
   */
  readonly sharded?: boolean | undefined;
  /**
   * What of the model's sections is shared out between replicas that go through it layer by layer together (ZeRO, stages 2 and
   * 3); they exchange within their steps.
   */
  readonly stage?: ZeroStage | undefined;
  /** What such replicas exchange through. */
  readonly shared?: CollectiveMemory | undefined;
  /** Of a model that is trained layer by layer: where its sections are kept. */
  readonly offload?: OffloadSetup | undefined;
}

/** Where a model's sections are kept that is trained layer by layer. */
export interface OffloadSetup extends Placement {
  /** Of the run's, absolute. */
  readonly folder: string;
  /** The model whose files it begins with, and of what these were. */
  readonly from?: { readonly model: string; readonly sha256: string } | undefined;
}

/** Where a replica stands beside its vectors: in its samples and, with products in fp16, with the scale of its loss. */
export interface ReplicaPlace extends SamplerState {
  readonly lossScale?: LossScaleState;
}

/** What a replica starts or continues from; it keeps the vectors for itself. Left out: moments of 0, the first sample. */
export interface ReplicaState {
  readonly parameters: Float32Array;
  /** Where it is sharded, of its own shard. */
  readonly moment1?: Moment;
  readonly moment2?: Moment;
  /** Of the replica's own shard. */
  readonly outerMomentum?: Float32Array;
  readonly sampler?: ReplicaPlace;
}

/** What a replica has after its steps. */
export interface ReplicaTrained {
  /** Tokens trained on, or samples where these are counted. */
  readonly tokens: number;
  /** Targets that it learned from: its weight in the average. */
  readonly weight: number;
  readonly steps: number;
  readonly seconds: number;
  readonly finite: boolean;
  readonly norm: number;
  /** Its values of every other replica's shard, by replica: parameters (and moments), or the gradient. */
  readonly parts: Parts;
  /** The step whose loss or gradient was not finite, where the replica stopped. */
  readonly fault?: StepDone;
}

/** One vector a replica; none for the replica itself. */
export type Parts = readonly (Float32Array | undefined)[];

/** A step of one replica. */
export interface StepDone {
  /** Counted from 0. */
  readonly step: number;
  readonly loss: number;
  /** Of the targets that the loss is the mean of. */
  readonly weight: number;
  /** Before clipping; 0 where gradients are still to be averaged. */
  readonly gradientNorm: number;
}

/** Which of its vectors a replica is to copy out, into arrays of an earlier snapshot where they are given. */
export interface SnapshotRequest {
  readonly parameters: boolean;
  readonly moments: boolean;
  readonly outerMomentum: boolean;
  readonly reuse?: Omit<Snapshot, 'sampler'>;
}

export interface Snapshot {
  readonly parameters?: Float32Array;
  /** Where the replica is sharded, as long as the model all the same: its own shard is filled in, others are left as they are. */
  readonly moment1?: Moment;
  readonly moment2?: Moment;
  readonly outerMomentum?: Float32Array;
  readonly sampler: ReplicaPlace;
}

/** Which shard is to be set, or copied out. Of parameters that are not shared out it is all of a section. */
export interface ShardRequest {
  readonly section: number;
  readonly vector: VectorName;
  readonly values?: Float32Array;
}

/** What a thread can be asked for: argument and answer. Every vector in them is moved, not copied. */
export interface ReplicaCommands {
  /** Compiles the graphs. */
  init: [ReplicaSetup, null];
  /** Answers the hash of the parameters. A model on disk has its own, unless there are none yet and these are not of no elements. */
  load: [ReplicaState, string];
  /**
   * Trains `steps` inner steps, the first of which is `step`, counted from 0. `rates`: the learning rate of each, where
   * it is not that of the schedule.
   */
  train: [{ readonly step: number; readonly steps: number; readonly rates?: readonly number[] }, ReplicaTrained];
  /**
   * Sums the own shard by shares of the `total` weight; answers the parts, which hold the result now, and the hash of the
   * shard, of gradients the sum of its squares too. A sharded replica keeps the parts until its `update`.
   */
  merge: [
    { readonly weights: readonly number[]; readonly total: number; readonly parts: Parts },
    { parts: Parts; hash: string; squares?: number },
  ];
  /** Of a sharded replica: its shard's step, where all shards' `squares` are those; answers the parts, which hold its parameters now. */
  update: [{ readonly step: number; readonly squares: number; readonly rate?: number }, { parts: Parts }];
  /** Takes the other shards' results, by replica; with gradients whose squares come to so much, makes the step. */
  take: [
    { readonly step: number; readonly parts: Parts; readonly squares: number; readonly rate?: number },
    { hash: string; gradientNorm: number },
  ];
  /** Of the validation samples of these numbers. */
  evaluate: [readonly number[], LossSum];
  /** The beginning of a text that the parameters write, so many tokens at most. */
  sample: [number, string];
  snapshot: [SnapshotRequest, Snapshot];
  /** Of a model on disk: makes a checkpoint of it, with so much of the run's state; the replica's place is added. */
  commit: [JsonObject, null];
  /** Of a model on disk: writes all of its parameters as `model.safetensors` has them; answers the file's hash. */
  weights: [string, { sha256: string }];
  /** Of a replica whose sections are shared out: sets its shard of one to values, or answers a copy of it. */
  shard: [ShardRequest, { values?: Float32Array }];
  close: [null, null];
}
