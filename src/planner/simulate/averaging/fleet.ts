import { Random } from '../../../base/random.js';
import type { TimedEvents } from '../event-queue.js';
import type { TimedReplica } from './replica.js';
import type { AveragingSpec } from './spec.js';

/** What the coming and going of replicas causes. */
export interface FleetEvents {
  readonly note: (replica: TimedReplica, what: 'join' | 'leave' | 'failure') => void;
  /** A failure was noticed. */
  readonly died: (worker: string, incarnation: number) => void;
  /** The lines of all that are there, bytes a second. */
  readonly resized: (up: number, down: number) => void;
}

/** Who is there and when: joins, leaves and failures as planned and at random, and returns after repair. */
export class Fleet {
  readonly #spec: AveragingSpec;
  readonly #queue: TimedEvents;
  readonly #replicas: readonly TimedReplica[];
  readonly #events: FleetEvents;

  constructor(spec: AveragingSpec, queue: TimedEvents, replicas: readonly TimedReplica[], events: FleetEvents) {
    this.#spec = spec;
    this.#queue = queue;
    this.#replicas = replicas;
    this.#events = events;
  }

  /** Replicas that are there. */
  get alive(): number {
    return this.#replicas.filter(({ alive }) => alive).length;
  }

  /** Plans everything from the start of the run. */
  schedule(): void {
    const queue = this.#queue;
    for (const replica of this.#replicas) {
      const { joins = 0, leaves, fails = [] } = replica.spec;
      queue.at(joins, () => {
        this.#begin(replica);
        if (joins > 0) this.#resize();
      });
      for (const at of fails) queue.at(at, () => this.#fail(replica));
      if (leaves !== undefined) queue.at(leaves, () => this.#leave(replica));
    }
    // Once for all that join together.
    queue.at(0, () => this.#resize());
  }

  #begin(replica: TimedReplica): void {
    replica.join();
    this.#events.note(replica, 'join');
    const { meanTimeBetweenFailures = Number.POSITIVE_INFINITY, seed = 1 } = this.#spec;
    if (meanTimeBetweenFailures === Number.POSITIVE_INFINITY) return;
    const { incarnation } = replica;
    const random = new Random(seed, 'failures', replica.number, incarnation);
    this.#queue.after(-meanTimeBetweenFailures * Math.log(1 - random.uniform()), () => {
      if (replica.incarnation === incarnation) this.#fail(replica);
    });
  }

  #fail(replica: TimedReplica): void {
    if (!replica.alive) return;
    this.#events.note(replica, 'failure');
    replica.end(false);
    this.#resize();
    const { detection = 10, repair = 60 } = this.#spec;
    const { name, incarnation, spec } = replica;
    this.#queue.after(detection, () => this.#events.died(name, incarnation));
    this.#queue.after(repair, () => {
      if (replica.alive || this.#queue.now >= (spec.leaves ?? Number.POSITIVE_INFINITY)) return;
      this.#begin(replica);
      this.#resize();
    });
  }

  #leave(replica: TimedReplica): void {
    if (!replica.alive) return;
    this.#events.note(replica, 'leave');
    replica.end(true);
    this.#resize();
  }

  #resize(): void {
    let up = 0;
    let down = 0;
    for (const { alive, spec } of this.#replicas)
      if (alive) {
        up += spec.up;
        down += spec.down;
      }
    this.#events.resized(up, down);
  }
}
