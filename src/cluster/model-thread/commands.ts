import type { Handle } from '../../base/threads/start.js';
import type { NodeDevice } from '../../engine/node/device-names.js';
import type { StepDone } from '../../local/messages.js';
import type { Placement } from '../../local/offload-need.js';
import type { FrozenPart } from '../../run/frozen-part.js';
import type { LossSum } from '../../training/evaluation.js';
import type { TrainingPrecision } from '../../training/precision-names.js';
import type { HeldParts, PartFile } from '../parts.js';
import type { RunSetup } from '../protocol/configuration.js';
import type { Work } from '../protocol/down.js';

/** All that a thread needs to hold the model for a member, or for the coordinator, but for the vectors. */
export interface ModelSetup {
  /** Whether it trains; the coordinator's does not. */
  readonly trains: boolean;
  /** Whether no other replica shares its machine's cores. */
  readonly alone: boolean;
  readonly device: NodeDevice;
  /** What products of linear layers are computed in, as this machine allows; in float32 where left out. */
  readonly precision?: TrainingPrecision | undefined;
  readonly threads: number;
  /** The data set's folder. */
  readonly tokens: string;
  readonly run: RunSetup;
  /** Of its model, where some parameters are frozen. */
  readonly frozen?: FrozenPart;
  /** Where a model is that is trained layer by layer; left out, it is in memory. */
  readonly offload?: MemberOffload | undefined;
}

/** Where vectors are that are not in memory. */
export interface MemberOffload extends Placement {
  /** This process's alone; nothing in it outlasts it. */
  readonly folder: string;
}

/** What a member has after its steps. */
export interface Trained {
  readonly tokens: number;
  /** Targets that it learned from. */
  readonly weight: number;
  readonly steps: number;
  readonly seconds: number;
  /** The mean over those targets, in nats per token. */
  readonly loss: number;
  /** Of the gradient before clipping; the mean over steps. */
  readonly gradientNorm: number;
  /** Whether no loss, gradient or parameter was NaN or infinite. */
  readonly finite: boolean;
  /** Euclidean norm of the pseudo-gradient. */
  readonly norm: number;
  /** The contribution as it travels, by shard of the fragment; of no elements where it is in a file. */
  readonly parts: readonly Uint8Array[];
  /** Until the contribution after the next one. */
  readonly file?: PartFile;
}

/** A contribution, and what to try it on. */
export interface AuditRequest {
  readonly fragment: number;
  /** Whether it started from the committed parameters, or from those before the last `apply`. */
  readonly base: 'committed' | 'before';
  /** As it travelled, by shard of the fragment. */
  readonly parts: readonly Uint8Array[];
  /** Where the validation windows start. */
  readonly windows: readonly number[];
}

/** Mean losses over the windows, in nats per token; NaN or infinite where the parameters are no good. */
export interface AuditLosses {
  readonly base: number;
  /** Of the base minus the contribution's pseudo-gradient. */
  readonly contribution: number;
  readonly committed: number;
  /** Euclidean norm of the pseudo-gradient. */
  readonly norm: number;
}

/** What the outer step came to: the hash of all committed vectors, and the result's parts again; none of those in a file. */
export interface Applied {
  readonly hash: string;
  readonly parts: readonly Uint8Array[];
}

/** What the thread of a model can be asked for: argument and answer. Arrays are moved, not copied. */
export type ModelCommands = {
  /** Compiles the graphs; answers the tokens of one inner step. */
  init: [ModelSetup, number];
  /**
   * Takes committed vectors: parameters, outer momentum where the outer optimiser has it, both moments where they are
   * averaged. Answers their hash. In a file they lie one behind the other, each cut into parts.
   */
  load: [readonly Float32Array[] | PartFile, string];
  /** Null: told to stop, and local parameters are as they were left. */
  train: [Work, Trained | null];
  /** Local parameters (and averaged moments) become the committed ones again. */
  rollback: [null, null];
  /** Merges the contributions' parts of one shard. */
  reduce: [
    {
      readonly fragment: number;
      readonly shard: number;
      readonly parts: readonly Uint8Array[];
      /** One a contribution, of sum 1. */
      readonly weights: readonly number[];
      /** What each contributor told of its pseudo-gradient. */
      readonly norms: readonly number[];
    },
    /**
     * `squares`: of each contribution's pseudo-gradient in this shard. `damaged`: which one cannot be decoded, or is
     * larger than was told.
     */
    (
      | { readonly merged: Uint8Array; readonly squares: readonly number[] }
      | { readonly damaged: number; readonly reason: string }
    ),
  ];
  /**
   * The outer step with a round's result, by shard of the fragment. Local parameters stay as they are, but with several
   * fragments, where they are mixed with the result.
   */
  apply: [
    {
      readonly fragment: number;
      readonly parts: HeldParts;
      /** Norms that the contributions allow, by shard: a result that is larger is refused. */
      readonly norms?: readonly number[];
    },
    Applied,
  ];
  /** Of the committed parameters on the validation windows that start at these tokens. */
  evaluate: [readonly number[], LossSum];
  /** What one contribution alone makes of the parameters that it started from. Others have their turn meanwhile. */
  audit: [AuditRequest, AuditLosses];
  /** Copies of the committed vectors, as `load` takes them. */
  snapshot: [null, readonly Float32Array[]];
  close: [null, null];
};

/** The thread of a model as the coordinator or a member sees it. */
export type ModelHandle = Handle<ModelCommands, StepDone>;
