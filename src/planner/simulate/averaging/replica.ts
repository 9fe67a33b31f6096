import type { Random } from '../../../base/random.js';
import type { Committed, MessageToWorker, StartRound, WorkerMessage } from '../../../rounds/index.js';
import type { EventQueue } from '../event-queue.js';
import type { Transfer } from '../shared-flow.js';
import { hashOf, LAYOUT, RUN } from './coordinator.js';
import type { Line } from './lines.js';
import type { AveragingSpec, ReplicaSpec } from './spec.js';

/** What a replica spends its time on. */
export type Activity = 'train' | 'upload' | 'download' | 'wait' | 'away';

/** What all replicas share. */
export interface Surroundings {
  readonly queue: EventQueue;
  readonly spec: AveragingSpec;
  /** Contributions on their way to all reducers, merged shards on their way back, and joiners' state. */
  readonly lines: { readonly reduce: Line; readonly gather: Line; readonly store: Line };
  readonly send: (message: WorkerMessage) => void;
  /** The round that a committed one started from. */
  readonly baseOf: (round: number) => number | undefined;
  /** An activity has ended. */
  readonly spent: (replica: Replica, activity: Activity, start: number, round: number) => void;
  /** Steps were done in a round, whether or not they will be merged. */
  readonly trained: (steps: number) => void;
  /** Bytes went over a line. */
  readonly moved: (kind: 'contributions' | 'results' | 'states', bytes: number) => void;
}

/** One replica of a simulated run: joins, fetches, trains, contributes, fails, comes back. */
export class Replica {
  readonly number: number;
  readonly name: string;
  readonly spec: ReplicaSpec;
  incarnation = 0;
  alive = false;
  readonly #in: Surroundings;
  readonly #random: Random;
  #holds: number | null = null;
  #closed = -1;
  #target: number | null = null;
  #round: number | null = null;
  #transfer: { readonly line: Line; readonly transfer: Transfer } | null = null;
  #activity: { readonly kind: Activity; readonly since: number; readonly round: number };
  /** Steps a second of the round that it trains in. */
  #speed = 0;
  /** The last round that it was a member of, and the share of a vector that the others sum there: (n − 1)/n. */
  #member = { round: -1, othersShare: 1 };
  /** Counts what it has begun, so that what was given up does not go on. */
  #begun = 0;

  constructor(surroundings: Surroundings, number: number, spec: ReplicaSpec, random: Random) {
    this.#in = surroundings;
    this.number = number;
    this.name = `replica-${number}`;
    this.spec = spec;
    this.#random = random;
    this.#activity = { kind: 'away', since: 0, round: 0 };
  }

  /** A new life. */
  join(): void {
    this.#become('wait', 0);
    this.alive = true;
    this.incarnation++;
    this.#send({ type: 'join', layoutHash: LAYOUT, stepsPerSecond: this.spec.stepsPerSecond });
  }

  /** Ends this life; `true`: saying so. */
  end(announced: boolean): void {
    if (announced) this.#send({ type: 'leave', reason: 'told to' });
    this.#drop();
    this.alive = false;
    this.#holds = null;
    this.#target = null;
    this.#closed = -1;
    this.#become('away', 0);
  }

  /** The run is over. */
  finish(): void {
    this.#drop();
    this.#become(this.alive ? 'wait' : 'away', 0);
  }

  receive(message: MessageToWorker): void {
    if (message.type === 'startRound') this.#train(message);
    else if (message.type === 'refuse') {
      if (message.about === 'contribution') this.#drop();
    } else if ('committed' in message) this.#follow(message.committed, message.closed);
  }

  /** Takes the committed parameters, dropping what it trains in a round that is over. */
  #follow(committed: Committed, closed: number): void {
    this.#closed = Math.max(this.#closed, closed);
    if (this.#round !== null && this.#round <= this.#closed) this.#drop();
    if (this.#holds === committed.round) this.#report();
    else if (this.#target === null || this.#target < committed.round) this.#fetch(committed);
  }

  #fetch(committed: Committed): void {
    this.#drop();
    this.#target = committed.round;
    this.#become('download', committed.round);
    const { spec, lines } = this.#in;
    // Who holds the round before needs the merged change alone, without the part that it has summed itself; others
    // need all parameters.
    const change = this.#holds !== null && this.#holds === this.#in.baseOf(committed.round);
    const share = this.#member.round === committed.round ? this.#member.othersShare : 1;
    const bytes = change ? spec.resultBytes * share : (spec.stateBytes ?? spec.resultBytes);
    this.#transport(change ? lines.gather : lines.store, bytes, this.spec.down, () => {
      this.#in.moved(change ? 'results' : 'states', bytes);
      this.#target = null;
      this.#holds = committed.round;
      this.#become('wait', 0);
      this.#report();
    });
  }

  #train({ round, base, members }: StartRound): void {
    if (this.#round !== null || round <= this.#closed || this.#holds !== base.round) return;
    const { spec, lines } = this.#in;
    const steps = members.find((member) => member.worker === this.name)!.steps;
    const othersShare = (members.length - 1) / members.length;
    this.#round = round;
    this.#member = { round, othersShare };
    this.#speed = this.spec.stepsPerSecond * this.#luck();
    this.#become('train', round);
    const seconds = steps / this.#speed;
    this.#later(seconds, () => {
      this.#become('upload', round);
      const bytes = spec.contributionBytes * othersShare;
      this.#transport(lines.reduce, bytes, this.spec.up, () => {
        this.#in.moved('contributions', bytes);
        this.#become('wait', 0);
        this.#send({
          type: 'contribution',
          round,
          tokens: steps * (spec.tokensPerStep ?? 1),
          steps,
          seconds,
          baseHash: hashOf(base.round),
          layoutHash: LAYOUT,
          length: 1,
          finite: true,
          norm: 1,
          contentHash: `${this.name}.${this.incarnation}.${round}`,
        });
      });
    });
  }

  /** How its speed differs in this round. */
  #luck(): number {
    const { jitter = 0, straggling } = this.#in.spec;
    const drawn = jitter > 0 ? Math.exp(jitter * this.#random.normal()) : 1;
    const slow = straggling && this.#random.uniform() < straggling.probability;
    return slow ? drawn / straggling.factor : drawn;
  }

  /** Gives up whatever it does. */
  #drop(): void {
    this.#begun++;
    this.#round = null;
    this.#target = null;
    this.#transfer?.line.cancel(this.#transfer.transfer);
    this.#transfer = null;
    if (this.alive) this.#become('wait', 0);
  }

  #transport(line: Line, bytes: number, cap: number, done: () => void): void {
    const transfer = line.send(bytes, cap, () => {
      this.#transfer = null;
      done();
    });
    this.#transfer = { line, transfer };
  }

  #report(): void {
    const round = this.#holds!;
    this.#send({ type: 'report', round, closed: this.#closed, hash: hashOf(round) });
  }

  #become(kind: Activity, round: number): void {
    const { queue, spent, trained } = this.#in;
    const before = this.#activity;
    if (queue.now > before.since) spent(this, before.kind, before.since, before.round);
    if (before.kind === 'train') trained((queue.now - before.since) * this.#speed);
    this.#activity = { kind, since: queue.now, round };
  }

  #later(delay: number, run: () => void): void {
    const begun = this.#begun;
    this.#in.queue.after(delay, () => {
      if (this.#begun === begun) run();
    });
  }

  #send(body: WithoutSender<WorkerMessage>): void {
    this.#in.send({ ...body, run: RUN, worker: this.name, incarnation: this.incarnation });
  }
}

type WithoutSender<T> = T extends WorkerMessage ? Omit<T, 'run' | 'worker' | 'incarnation'> : never;
