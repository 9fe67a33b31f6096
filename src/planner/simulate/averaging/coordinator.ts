import {
  createRounds,
  type Merge,
  type MessageToWorker,
  machineOptions,
  nextDeadline,
  type RoundsEvent,
  type RoundsState,
  tick,
  waitingFor,
} from '../../../rounds/index.js';
import type { TimedEvents } from '../event-queue.js';
import { type AveragingSpec, graceOf, roundTimeoutOf } from './spec.js';

/** What the coordinator tells the world. */
export interface CoordinatorEvents {
  readonly send: (worker: string, incarnation: number, message: MessageToWorker) => void;
  readonly opened: (round: number, members: number) => void;
  readonly merging: (merge: Merge) => void;
  readonly ended: (round: number, how: 'commit' | 'abort') => void;
}

/** The project's own machine of rounds ({@link tick}) on the virtual clock; it merges in a given time. */
export class TimedCoordinator {
  #state: RoundsState;
  readonly #queue: TimedEvents;
  readonly #spec: AveragingSpec;
  readonly #events: CoordinatorEvents;
  /** Milliseconds of the last tick: rounding must not turn the clock back. */
  #now = 0;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(queue: TimedEvents, spec: AveragingSpec, events: CoordinatorEvents) {
    this.#queue = queue;
    this.#spec = spec;
    this.#events = events;
    this.#state = createRounds({
      run: RUN,
      layout: { hash: LAYOUT, length: 1 },
      committed: { round: 0, hash: hashOf(0) },
      now: 0,
      options: machineOptions({
        steps: spec.steps,
        adaptiveSteps: spec.adaptive ?? true,
        quorum: spec.quorum ?? 0.5,
        grace: 1000 * graceOf(spec),
        roundTimeout: 1000 * roundTimeoutOf(spec),
        // The first round opens once all are ready that are there from the start; see `handle`.
        minimumMembers: Math.max(1, spec.replicas.filter(({ joins = 0 }) => joins === 0).length),
        // Nothing is lost here, so silence means death, and the driver says so after the time it takes to notice.
        heartbeatTimeout: null,
        outlierFactor: null,
      }),
    });
  }

  /** What is waited for, in words. */
  get waiting(): string {
    const waiting = waitingFor(this.#state);
    return waiting ? `${waiting.kind}, so that ${waiting.afterwards}` : 'nothing';
  }

  handle(event: RoundsEvent): void {
    this.#now = Math.max(this.#now, 1000 * this.#queue.now);
    const { state, effects } = tick(this.#state, event, this.#now);
    this.#state = state;
    for (const effect of effects) {
      if (effect.type === 'waiting') continue;
      if (effect.type === 'merge') {
        this.#merge(effect);
        continue;
      }
      if (effect.type === 'startRound') {
        const minimumMembers = this.#spec.minimumMembers ?? 1;
        this.#state = { ...this.#state, options: { ...this.#state.options, minimumMembers } };
        this.#events.opened(effect.round, effect.members.length);
      }
      if (effect.type === 'abort') this.#events.ended(effect.round, 'abort');
      for (const { worker, incarnation } of effect.to) this.#events.send(worker, incarnation, effect);
    }
    this.#arm();
  }

  #merge(merge: Merge): void {
    this.#events.merging(merge);
    this.#queue.after(this.#spec.merge ?? 0, () => {
      this.#events.ended(merge.round, 'commit');
      this.handle({ type: 'merged', round: merge.round, hash: hashOf(merge.round) });
    });
  }

  #arm(): void {
    const deadline = nextDeadline(this.#state);
    if (deadline === null) return;
    const at = Math.max(this.#queue.now, deadline / 1000);
    if (at >= this.#timerAt) return;
    this.#timerAt = at;
    this.#queue.at(at, () => {
      if (this.#timerAt !== at) return;
      this.#timerAt = Number.POSITIVE_INFINITY;
      const due = nextDeadline(this.#state);
      if (due === null || due / 1000 > at) return this.#arm();
      this.#now = Math.max(this.#now, due);
      this.handle({ type: 'timer' });
    });
  }
}

/** The names that a simulated run goes by. */
export const RUN = 'simulated';
export const LAYOUT = 'layout';

/** The hash of the parameters of a committed round: nothing is computed here, so its number stands for it. */
export function hashOf(round: number): string {
  return `round ${round}`;
}
