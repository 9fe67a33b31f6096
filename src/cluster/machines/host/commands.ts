import type { AdamwOptions } from '../../../training/adamw.js';
import type { OuterOptions } from '../../../training/outer.js';
import type { ScheduleOptions } from '../../../training/schedule.js';
import type { Handle } from '../../replica-thread.js';
import type { ParsedClusterOptions } from '../options.js';
import type { Lease } from '../protocol/down.js';

/** All that a thread needs to hold the model for a member, or for the coordinator, but for the vectors. */
export interface HostSetup {
  /** Whether it trains; the coordinator's does not. */
  readonly trains: boolean;
  readonly device: 'cpu' | 'webgpu' | 'cuda';
  readonly threads: number;
  /** The data set's folder. */
  readonly tokens: string;
  readonly run: RunSetup;
}

/** What is the same on every machine of a run. */
export interface RunSetup {
  /** The model's `config.json`. */
  readonly model: unknown;
  readonly batchSize: number;
  readonly gradAccum: number;
  readonly seed: number;
  readonly optimizer: AdamwOptions;
  readonly schedule: ScheduleOptions;
  readonly outer: OuterOptions;
  readonly averageMoments: boolean;
  readonly cluster: Pick<ParsedClusterOptions, 'format' | 'momentsFormat' | 'merge' | 'fragments' | 'mixing'>;
}

/** The inner steps of one member in one round. */
export interface Training {
  /** Which part of the model the round exchanges, from 0. */
  readonly fragment: number;
  readonly steps: number;
  /** Where the learning rate's schedule stands at the first step, and how far it goes over them all. */
  readonly position: number;
  readonly advance: number;
  /** The samples to train on, once each. */
  readonly lease: Lease;
}

/** What a member has after its steps. */
export interface Trained {
  readonly tokens: number;
  readonly steps: number;
  readonly seconds: number;
  /** The mean over steps, in nats per token. */
  readonly loss: number;
  /** Of the gradient before clipping; the mean over steps. */
  readonly gradientNorm: number;
  /** Whether no loss, gradient or parameter was NaN or infinite. */
  readonly finite: boolean;
  /** Euclidean norm of the pseudo-gradient. */
  readonly norm: number;
  /** The contribution as it travels, by shard of the fragment. */
  readonly parts: readonly Uint8Array[];
}

/** What the host of a model can be asked for: argument and answer. Arrays are moved, not copied. */
export type HostCommands = {
  /** Compiles the graphs; answers the tokens of one inner step. */
  init: [HostSetup, number];
  /**
   * Takes committed vectors: parameters, outer momentum where the outer optimiser has it, both moments where they are
   * averaged. Answers their hash.
   */
  load: [readonly Float32Array[], string];
  /** Null: told to stop, and local parameters are as they were left. */
  train: [Training, Trained | null];
  /** Local parameters (and averaged moments) become the committed ones again. */
  rollback: [null, null];
  /** The contributions' parts of one shard, merged. */
  reduce: [
    {
      readonly fragment: number;
      readonly shard: number;
      readonly parts: readonly Uint8Array[];
      /** One a contribution, of sum 1. */
      readonly weights: readonly number[];
    },
    Uint8Array,
  ];
  /** The outer step with a round's result, by shard of the fragment; answers the hash of all committed vectors. */
  apply: [{ readonly fragment: number; readonly parts: readonly Uint8Array[] }, string];
  /** The sum of the mean losses of the committed parameters over validation windows. */
  evaluate: [readonly number[], number];
  /** Copies of the committed vectors, as `load` takes them. */
  snapshot: [null, readonly Float32Array[]];
  close: [null, null];
};

/** A host of the model as the coordinator or a member sees it. */
export type MemberHandle = Handle<HostCommands>;
