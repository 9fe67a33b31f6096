import type { Committed, RoundsState } from '../types.js';
import { hashModel, type ModelParameters } from './model.js';

/** A pseudo-gradient as it lies in the store, with what it was really made from. */
export interface StoredContribution {
  readonly value: number;
  readonly base: string;
}

/** What outlives every crash: the coordinator's state, parameters and contributions (a stream, a disk). */
export class SimulatedStore {
  /** The coordinator's state as JSON would give it back. */
  state: RoundsState;
  /** By hash. */
  readonly parameters = new Map<string, ModelParameters>();
  /** By content hash. */
  readonly contributions = new Map<string, StoredContribution>();
  /** Every commit that any worker was told of, in order. */
  readonly commits: Committed[];

  constructor(state: RoundsState, initial: ModelParameters) {
    this.state = state;
    this.parameters.set(hashModel(initial), initial);
    this.commits = [state.committed];
  }
}
