import type { Merge, MessageToWorker, RoundEvent, Step } from '../events.js';
import type { RoundsState } from '../types.js';
import { nextDeadline } from '../waiting.js';
import { hashModel, mergeModel } from './model.js';
import type { Monitor } from './monitor.js';
import type { SimulatedNetwork } from './network.js';
import type { SimulatedStore } from './store.js';

/** The machine under test: {@link tick}, or one with a rule broken on purpose. */
export type Machine = (state: RoundsState, event: RoundEvent, now: number) => Step;

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
  readonly #machine: Machine;
  readonly #store: SimulatedStore;
  readonly #network: SimulatedNetwork;
  readonly #monitor: Monitor;
  readonly #send: (worker: string, incarnation: number, message: MessageToWorker) => void;
  readonly #mergeTime: number;
  #life = 0;
  #clockOffset = 0;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(options: {
    readonly machine: Machine;
    readonly store: SimulatedStore;
    readonly network: SimulatedNetwork;
    readonly monitor: Monitor;
    readonly send: (worker: string, incarnation: number, message: MessageToWorker) => void;
    readonly mergeTime: number;
  }) {
    this.#machine = options.machine;
    this.#store = options.store;
    this.#network = options.network;
    this.#monitor = options.monitor;
    this.#send = options.send;
    this.#mergeTime = options.mergeTime;
  }

  crash(): void {
    this.alive = false;
    this.#life++;
  }

  /** Starts from the stored state, with a clock that differs by `clockOffset` virtual milliseconds. */
  restart(clockOffset: number): void {
    this.alive = true;
    this.dieWithNext = false;
    this.#clockOffset = clockOffset;
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#store.state = JSON.parse(JSON.stringify(this.#store.state)) as RoundsState;
    this.handle({ type: 'restart' });
  }

  handle(event: RoundEvent): void {
    if (!this.alive) return;
    this.ticks++;
    const before = this.#store.state;
    const { state, effects } = this.#machine(before, event, this.#network.now + this.#clockOffset);
    this.#store.state = state;
    this.#monitor.check(before, event, state, effects);
    if (this.dieWithNext && effects.length > 0) {
      this.crash();
      return;
    }
    for (const effect of effects) {
      if (effect.type === 'merge') this.#merge(effect);
      else if (effect.type !== 'waiting')
        for (const { worker, incarnation } of effect.to) this.#send(worker, incarnation, effect);
      if (effect.type === 'abort') this.aborts++;
    }
    this.#arm();
  }

  #merge({ round, base, contributions }: Merge): void {
    this.#later(this.#mergeTime, () => {
      if (this.failMerges > 0) {
        this.failMerges--;
        const workers = this.failMerges % 2 === 0 ? [] : [contributions[0]!.worker];
        this.handle({ type: 'mergeFailed', round, reason: 'told to fail', workers });
        return;
      }
      const values = contributions.map(({ contentHash, tokens }) => ({
        value: this.#store.contributions.get(contentHash)!.value,
        tokens,
      }));
      const merged = mergeModel(this.#store.parameters.get(base.hash)!, values);
      this.#store.parameters.set(hashModel(merged), merged);
      this.handle({ type: 'merged', round, hash: hashModel(merged) });
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
