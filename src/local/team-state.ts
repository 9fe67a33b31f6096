import type { Moment } from '../training/moments.js';
import type { ReplicaPlace } from './messages.js';

/** Moments of AdamW: vectors in the layout's order. */
export interface Moments {
  readonly moment1: Moment;
  readonly moment2: Moment;
}

/** Everything that a run's replicas hold, as a checkpoint keeps it. */
export interface TeamState {
  readonly round: number;
  readonly parameters: Float32Array;
  /** One for all replicas, or one each; none: 0. */
  readonly moments: readonly Moments[];
  /** Of the outer optimiser, over the whole vector; only with `nesterov`. */
  readonly outerMomentum?: Float32Array;
  /** By replica; none: the first sample. */
  readonly samplers: readonly ReplicaPlace[];
}
