import type { Committed, RoundsState } from '../types.js';
import { hashModel, type ModelParameters } from './model.js';

/** A pseudo-gradient as it lies in the store, with what it was really made from. */
export interface StoredContribution {
  readonly value: number;
  /** Hash of the parameters that its member last went back to. */
  readonly base: string;
  /** The rounds whose steps are in it, since then. */
  readonly rounds: readonly number[];
}

/** By which a member comes to the committed parameters; each result is one fragment. */
export interface SimulatedChain {
  readonly snapshot: Committed;
  readonly results: readonly (Committed & { readonly fragment: number })[];
}

/** Commits between two snapshots. */
const SNAPSHOT_EVERY = 4;

/** What outlives every crash: the coordinator's state, parameters and contributions (a stream, a disk). */
export class SimulatedStore {
  /** The coordinator's state as JSON would give it back. */
  state: RoundsState;
  /** The first that was stored with this round and these parameters: what a server that loses writes has. */
  earlier: RoundsState;
  /** By hash. */
  readonly parameters = new Map<string, ModelParameters>();
  /** By content hash. */
  readonly contributions = new Map<string, StoredContribution>();
  /** Every commit that any worker was told of, in order. */
  readonly commits: Committed[];
  /** Numbers of the rounds that were committed. */
  readonly committed = new Set<number>();
  chain: SimulatedChain;
  /** Snapshots of earlier rounds are deleted. */
  oldest: number;
  readonly #fragments: number;

  constructor(state: RoundsState, initial: ModelParameters) {
    this.state = state;
    this.earlier = state;
    this.parameters.set(hashModel(initial), initial);
    this.commits = [state.committed];
    this.chain = { snapshot: state.committed, results: [] };
    this.oldest = state.committed.round;
    this.#fragments = initial.length;
  }

  save(state: RoundsState): void {
    if (state.round !== this.state.round || state.committed !== this.state.committed) this.earlier = state;
    this.state = state;
  }

  /**
   * Adds a commit, and now and then a snapshot of the one before: by the time that it is stored the run has gone on. Who
   * is on the way from the last one may go on until the next.
   */
  commit(committed: Committed): void {
    const before = this.commits.at(-1)!;
    this.commits.push(committed);
    this.committed.add(committed.round);
    const { snapshot, results } = this.chain;
    const result = { ...committed, fragment: committed.round % this.#fragments };
    const due = results.length >= SNAPSHOT_EVERY;
    if (due) this.oldest = snapshot.round;
    this.chain = due ? { snapshot: before, results: [result] } : { snapshot, results: [...results, result] };
  }
}
