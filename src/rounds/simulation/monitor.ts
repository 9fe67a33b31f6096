import type { Effect, Merge, RoundEvent, StartRound } from '../events.js';
import { compareNames, find } from '../order.js';
import type { RoundsState } from '../types.js';
import { hashModel } from './model.js';
import type { SimulatedStore } from './store.js';
import type { SimulatedWorker } from './worker.js';

/** A rule of rounds was broken in the simulation. */
export class Violation extends Error {
  override name = 'Violation';
}

/** Sees everything, the coordinator's state and the workers' real parameters, and throws when a rule is broken. */
export class Monitor {
  readonly #store: SimulatedStore;
  readonly #workers: () => Iterable<SimulatedWorker>;
  #opened: number;

  constructor(store: SimulatedStore, workers: () => Iterable<SimulatedWorker>) {
    this.#store = store;
    this.#workers = workers;
    this.#opened = store.state.round;
  }

  /** @throws Violation */
  check(before: RoundsState, event: RoundEvent, after: RoundsState, effects: readonly Effect[]): void {
    if (after.committed !== before.committed) this.#checkCommit(before, event, after);
    for (const effect of effects) {
      if (effect.type === 'startRound') this.#checkStart(effect, before, after);
      else if (effect.type === 'accepted' && event.type === 'contribution' && event.round !== before.open?.round)
        throw new Violation(`a contribution to round ${event.round} counted while ${before.open?.round} was open`);
      else if (effect.type === 'merge') this.#checkMerge(effect, after);
    }
  }

  /** Whether every living worker of the run that is not odd by design holds the committed parameters. */
  allHold(): boolean {
    const { workers, committed } = this.#store.state;
    for (const { name, incarnation, alive, character, parameters } of this.#workers()) {
      if (!alive || character === 'idle' || character === 'fresh') continue;
      if (find(workers, name)?.incarnation !== incarnation) continue;
      if (parameters === null || hashModel(parameters) !== committed.hash) return false;
    }
    return true;
  }

  #checkCommit(before: RoundsState, event: RoundEvent, after: RoundsState): void {
    const { committed } = after;
    if (event.type !== 'merged') throw new Violation(`${event.type} changed what is committed`);
    if (committed.round <= before.committed.round)
      throw new Violation(`commit of round ${committed.round} after that of round ${before.committed.round}`);
    if (!this.#store.parameters.has(committed.hash))
      throw new Violation(`round ${committed.round} was committed but its parameters are not stored`);
    if (this.#store.commits.at(-1)!.hash !== before.committed.hash)
      throw new Violation(`lost commit: the last one told to workers was ${this.#store.commits.at(-1)!.round}`);
    this.#store.commits.push(committed);
  }

  #checkStart(start: StartRound, before: RoundsState, after: RoundsState): void {
    if (before.open !== null) return;
    if (start.round <= this.#opened)
      throw new Violation(`round ${start.round} opened after round ${this.#opened}: not monotonic`);
    this.#opened = start.round;
    if (start.base.hash !== this.#store.commits.at(-1)!.hash)
      throw new Violation(`round ${start.round} starts from other than the last commit`);
    if (start.members.length < after.options.minimumMembers)
      throw new Violation(`round ${start.round} has ${start.members.length} members`);
    for (const worker of this.#workers()) {
      const member = start.members.find(({ worker: name }) => name === worker.name);
      if (worker.alive && member?.incarnation === worker.incarnation) this.#checkHolds(worker, start.base.hash);
    }
  }

  #checkHolds(worker: SimulatedWorker, hash: string): void {
    const held = worker.parameters === null ? 'none' : hashModel(worker.parameters);
    if (held !== hash) throw new Violation(`divergence: ${worker.name} holds ${held}, committed is ${hash}`);
  }

  #checkMerge(merge: Merge, after: RoundsState): void {
    let previous: string | undefined;
    for (const { worker, contentHash } of merge.contributions) {
      if (previous !== undefined && compareNames(previous, worker) >= 0)
        throw new Violation(`round ${merge.round} is summed out of replica order`);
      previous = worker;
      const stored = this.#store.contributions.get(contentHash);
      if (stored?.base !== merge.base.hash)
        throw new Violation(
          `divergence: ${worker} trained from ${stored?.base}, the round's base is ${merge.base.hash}`,
        );
    }
    if (merge.contributions.length < after.options.minimumMembers)
      throw new Violation(`round ${merge.round} is merged from ${merge.contributions.length} contributions`);
  }
}
