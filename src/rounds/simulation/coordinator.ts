import type { Merge, MessageToWorker, RoundsEvent, Step } from '../events.js';
import { find } from '../order.js';
import type { RoundsState } from '../types.js';
import { nextDeadline } from '../waiting.js';
import type { FromSimulated, SimulatedMessage } from './cargo.js';
import { SimulatedMerge } from './merge.js';
import { hashModel, stepModel } from './model.js';
import type { Monitor } from './monitor.js';
import type { SimulatedNetwork } from './network.js';
import type { SimulatedStore } from './store.js';
import { startFor } from './worker.js';

/** The machine under test: {@link tick}, or one with a rule broken on purpose. */
export type Machine = (state: RoundsState, event: RoundsEvent, now: number) => Step;

/** What a simulated coordinator lives in. */
export interface SimulatedCoordinatorOptions {
  readonly machine: Machine;
  readonly store: SimulatedStore;
  readonly network: SimulatedNetwork;
  readonly monitor: Monitor;
  readonly send: (worker: string, incarnation: number, message: SimulatedMessage) => void;
  /** Virtual milliseconds that a result takes to be stored. */
  readonly mergeTime: number;
  readonly fragments: number;
  /** Of a fragment, which contributors sum; 0: the coordinator does it alone. */
  readonly shards: number;
}

/** A coordinator of the simulated network: stores each state, then carries out the effects, unless it dies between. */
export class SimulatedCoordinator {
  alive = true;
  /** Ticks so far. */
  ticks = 0;
  aborts = 0;
  /** Dies before it carries out the effects of the next event. */
  dieWithNext = false;
  /** How many merges are yet to fail. */
  failMerges = 0;
  readonly #in: SimulatedCoordinatorOptions;
  readonly #store: SimulatedStore;
  readonly #network: SimulatedNetwork;
  #merging: SimulatedMerge | null = null;
  #life = 0;
  #clockOffset = 0;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(options: SimulatedCoordinatorOptions) {
    this.#in = options;
    this.#store = options.store;
    this.#network = options.network;
  }

  crash(): void {
    this.alive = false;
    this.#merging = null;
    this.#life++;
  }

  /**
   * Starts from the stored state, with a clock that differs by `clockOffset` virtual milliseconds.
   *
   * @param forgets whether the store has lost what was written last, as by a power cut, but for commits and rounds
   */
  restart(clockOffset: number, forgets = false): void {
    this.alive = true;
    if (forgets) this.#store.state = this.#store.earlier;
    this.dieWithNext = false;
    this.#clockOffset = clockOffset;
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#store.state = JSON.parse(JSON.stringify(this.#store.state)) as RoundsState;
    this.handle({ type: 'restart' });
  }

  receive(message: FromSimulated): void {
    if (!this.alive) return;
    if (message.type === 'sum') this.#merging?.hear(message);
    else this.handle(message);
  }

  handle(event: RoundsEvent): void {
    if (!this.alive) return;
    this.ticks++;
    const before = this.#store.state;
    const { state, effects } = this.#in.machine(before, event, this.#network.now + this.#clockOffset);
    this.#store.save(state);
    this.#in.monitor.check(before, event, state, effects);
    if (this.dieWithNext && effects.length > 0) {
      this.crash();
      return;
    }
    for (const effect of effects) {
      if (effect.type === 'merge') this.#merge(effect);
      else if (effect.type !== 'waiting')
        for (const { worker, incarnation } of effect.to)
          this.#in.send(worker, incarnation, this.#messageFor(effect, worker));
      if (effect.type === 'abort') this.aborts++;
    }
    this.#arm();
  }

  #messageFor(effect: MessageToWorker, worker: string): SimulatedMessage {
    switch (effect.type) {
      case 'startRound':
        return startFor(effect, worker, this.#in.fragments);
      case 'evict':
        return { type: 'evict', reason: effect.reason, banned: this.#store.state.evicted.includes(worker) };
      case 'accepted':
      case 'refuse':
        return effect;
      default:
        return { chain: this.#store.chain, ...effect };
    }
  }

  #merge(merge: Merge): void {
    const { fragments, shards, mergeTime, send, monitor } = this.#in;
    const { round, base, contributions } = merge;
    const { workers } = this.#store.state;
    const values = contributions.map(({ contentHash, weight }) => ({
      value: this.#store.contributions.get(contentHash)!.value,
      weight,
    }));
    const lives = contributions.flatMap(({ worker, incarnation }) => {
      const known = find(workers, worker);
      return known?.incarnation === incarnation ? known : [];
    });
    this.#merging = new SimulatedMerge({
      ...{ merge, values, shards },
      reducers: lives.map(({ worker }) => worker),
      send: (worker, message) => send(worker, find(lives, worker)!.incarnation, message),
      after: (delay, run) => this.#later(delay, run),
      onFalse: (sum, expected) => monitor.onFalseSum(sum, expected),
      done: (sums) =>
        this.#later(mergeTime, () => {
          if (this.failMerges > 0) {
            this.failMerges--;
            const workers = this.failMerges % 2 === 0 ? [] : [contributions[0]!.worker];
            this.handle({ type: 'mergeFailed', round, reason: 'told to fail', workers });
            return;
          }
          const merged = stepModel(this.#store.parameters.get(base.hash)!, round % fragments, sums);
          this.#store.parameters.set(hashModel(merged), merged);
          this.handle({ type: 'merged', round, hash: hashModel(merged) });
        }),
    });
  }

  #arm(): void {
    const deadline = nextDeadline(this.#store.state);
    if (deadline === null) return;
    const at = Math.max(this.#network.now, deadline - this.#clockOffset);
    if (at >= this.#timerAt) return;
    this.#timerAt = at;
    this.#later(at - this.#network.now, () => {
      if (this.#timerAt !== at) return;
      this.#timerAt = Number.POSITIVE_INFINITY;
      const due = nextDeadline(this.#store.state);
      if (due !== null && due - this.#clockOffset <= this.#network.now) this.handle({ type: 'timer' });
      else this.#arm();
    });
  }

  #later(delay: number, run: () => void): void {
    const life = this.#life;
    this.#network.after(delay, () => {
      if (this.#life === life) run();
    });
  }
}
