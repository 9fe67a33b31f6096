import type { Committed } from '../types.js';
import { differenceOf, hashModel, type ModelParameters, mixModel, trainModel, withFragment } from './model.js';

/** The model on a simulated machine: what it holds, and the local parameters, with where they come from. */
export class SimulatedHost {
  /** Committed parameters, right or damaged; `null`: none yet. */
  parameters: ModelParameters | null = null;
  hash = '';
  /** Hash of what local parameters last went back to. */
  base = '';
  /** Rounds whose steps were begun on them since. */
  rounds: readonly number[] = [];
  /** The round whose steps are under way. */
  training: number | null = null;
  /** Whether those steps are so far that others' results may be mixed in. */
  mixable = true;
  local: ModelParameters = [];

  load(parameters: ModelParameters): void {
    this.parameters = parameters;
    this.hash = hashModel(parameters);
    this.rollBack();
  }

  /** The result of a round. With fragments, who trains on is drawn to it. */
  apply(fragment: number, value: number): void {
    this.parameters = withFragment(this.parameters!, fragment, value);
    this.hash = hashModel(this.parameters);
    if (this.local.length > 1) this.local = mixModel(this.local, this.parameters, fragment);
  }

  rollBack(): void {
    if (this.parameters === null) return;
    this.local = this.parameters;
    this.base = this.hash;
    this.rounds = this.training === null ? [] : [this.training];
  }

  begin(round: number, mixable: boolean): void {
    this.training = round;
    this.mixable = mixable;
    this.rounds = [...this.rounds, round];
  }

  /** All steps of the round that was begun. @returns a fragment's pseudo-gradient, and what it was made from */
  finish(worker: string, steps: number, fragment: number) {
    this.local = trainModel(this.local, worker, this.training!, steps);
    this.training = null;
    return { value: differenceOf(this.parameters!, this.local, fragment), base: this.base, rounds: this.rounds };
  }

  /** Told to stop: some steps were done. */
  halt(worker: string): void {
    this.local = trainModel(this.local, worker, this.training!, 1);
    this.training = null;
  }

  /** Whether local parameters are those that it holds. */
  get isClean(): boolean {
    return this.rounds.length === 0 && this.base === this.hash;
  }

  /** The way along a chain: whether its snapshot is needed, and the results after what is held. */
  pathOf<T extends Committed>(
    chain: { readonly snapshot: Committed; readonly results: readonly T[] },
    held: Committed | null,
  ) {
    const at = (one: Committed) => one.round === held?.round && one.hash === held.hash;
    if (at(chain.snapshot)) return { snapshot: false, results: chain.results };
    const i = chain.results.findIndex(at);
    return i < 0
      ? { snapshot: true, results: chain.results }
      : { snapshot: false, results: chain.results.slice(i + 1) };
  }
}
