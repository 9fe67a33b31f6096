import { InOrder } from '../../../base/in-order.js';
import type { Random } from '../../../base/random.js';
import {
  type Cargo,
  type Contribute,
  createMember,
  type MemberEffect,
  type MemberInput,
  type MemberState,
  type MessageOfMember,
  type MessageToMember,
  type MessageToWorker,
  memberTick,
  type WorkerMessage,
} from '../../../rounds/index.js';
import type { TimedEvents } from '../event-queue.js';
import type { Transfer } from '../shared-flow.js';
import { LAYOUT, RUN } from './coordinator.js';
import type { Line } from './lines.js';
import type { AveragingSpec, ReplicaSpec } from './spec.js';

/** What a replica spends its time on. */
export type Activity = 'train' | 'upload' | 'download' | 'wait' | 'away';

/** What all replicas share. */
export interface ReplicaSurroundings {
  readonly queue: TimedEvents;
  readonly spec: AveragingSpec;
  /** Contributions on their way to all reducers, merged shards on their way back, and joiners' state. */
  readonly lines: { readonly reduce: Line; readonly gather: Line; readonly store: Line };
  readonly send: (message: WorkerMessage) => void;
  /** The round that a committed one started from. */
  readonly baseOf: (round: number) => number | undefined;
  /** An activity has ended. */
  readonly spent: (replica: TimedReplica, activity: Activity, start: number, round: number) => void;
  /** Steps were done in a round, whether or not they will be merged. */
  readonly trained: (steps: number) => void;
  /** Bytes went over a line. */
  readonly moved: (kind: 'contributions' | 'results' | 'states', bytes: number) => void;
}

/** What the member's machine carries through here. */
interface PlannedCargo extends Cargo {
  readonly chain: null;
  /** `othersShare`: of a vector that the others sum, (n − 1)/n. */
  readonly work: { readonly steps: number; readonly othersShare: number };
  readonly contribution: Omit<Contribute, 'run' | 'worker' | 'incarnation'>;
}

type Effect<T extends MemberEffect<PlannedCargo>['type']> = Extract<MemberEffect<PlannedCargo>, { readonly type: T }>;

/** Seconds between the heartbeats of one that is suspended; of the others nothing is ever lost. */
const BEAT = 2.5;

/**
 * One replica of a simulated run: what it does when is for the member's machine ({@link memberTick}) to say; here it
 * takes its time, over lines that it shares, and fails and comes back.
 */
export class TimedReplica {
  readonly number: number;
  readonly name: string;
  readonly spec: ReplicaSpec;
  alive = false;
  readonly #in: ReplicaSurroundings;
  readonly #random: Random;
  #state: MemberState<PlannedCargo> = createMember(0);
  readonly #events = new InOrder<MemberInput<PlannedCargo>>((event) => this.#handle(event));
  #transfer: { readonly line: Line; readonly transfer: Transfer } | null = null;
  #activity: { readonly kind: Activity; readonly since: number; readonly round: number };
  /** Steps a second of the round that it trains in. */
  #speed = 0;
  /** The last round that it was a member of, its steps there, and what they took in seconds. */
  #member = { round: -1, othersShare: 1, steps: 0, seconds: 0 };
  /** Counts what it has begun, so that what was given up does not go on. */
  #begun = 0;
  #beats = false;

  constructor(surroundings: ReplicaSurroundings, number: number, spec: ReplicaSpec, random: Random) {
    this.#in = surroundings;
    this.number = number;
    this.name = `replica-${number}`;
    this.spec = spec;
    this.#random = random;
    this.#activity = { kind: 'away', since: 0, round: 0 };
  }

  get incarnation(): number {
    return this.#state.incarnation;
  }

  /** A new life. */
  join(): void {
    this.#become('wait', 0);
    this.alive = true;
    this.#state = createMember(this.incarnation + 1);
    this.#tell({ type: 'start' });
  }

  /** Ends this life; `true`: saying so. */
  end(announced: boolean): void {
    if (announced) this.#tell({ type: 'leave', reason: 'told to' });
    this.#drop();
    this.alive = false;
    this.#become('away', 0);
  }

  /** The run is over. */
  finish(): void {
    this.#drop();
    this.#become(this.alive ? 'wait' : 'away', 0);
  }

  receive(message: MessageToWorker): void {
    this.#tell({ type: 'heard', incarnation: this.incarnation, message: this.#read(message) });
  }

  #read(message: MessageToWorker): MessageToMember<PlannedCargo> {
    switch (message.type) {
      case 'startRound': {
        const { members } = message;
        const { steps } = members.find((member) => member.worker === this.name)!;
        const othersShare = (members.length - 1) / members.length;
        return { ...message, steps, othersShare, next: null };
      }
      case 'evict':
        return { ...message, banned: false };
      case 'accepted':
      case 'refuse':
        return message;
      default:
        return { ...message, chain: null };
    }
  }

  #tell(event: MemberInput<PlannedCargo>): void {
    if (this.#events.add(event) && this.#state.life === 'suspended' && !this.#beats) this.#beat();
  }

  #handle(event: MemberInput<PlannedCargo>): void {
    const { state, effects } = memberTick(this.#state, event);
    this.#state = state;
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: MemberEffect<PlannedCargo>): void {
    switch (effect.type) {
      case 'send':
        this.#send(effect.incarnation, effect.message);
        break;
      case 'train':
        this.#train(effect);
        break;
      case 'stopTraining': {
        const { round } = this.#member;
        this.#drop();
        this.#tell({ type: 'halted', round });
        break;
      }
      case 'store':
        this.#store(effect);
        break;
      case 'stopStoring':
        this.#drop();
        break;
      case 'catchUp':
        this.#fetch(effect);
        break;
      case 'rollBack':
        this.#tell({ type: 'rolledBack' });
    }
  }

  #fetch({ committed, held }: Effect<'catchUp'>): void {
    this.#become('download', committed.round);
    const { spec, lines } = this.#in;
    // Who holds the round before needs the merged change alone, without the part that it has summed itself; others
    // need all parameters.
    const change = held !== null && held.round === this.#in.baseOf(committed.round);
    const share = this.#member.round === committed.round ? this.#member.othersShare : 1;
    const bytes = change ? spec.resultBytes * share : (spec.stateBytes ?? spec.resultBytes);
    this.#transport(change ? lines.gather : lines.store, bytes, this.spec.down, () => {
      this.#in.moved(change ? 'results' : 'states', bytes);
      this.#become('wait', 0);
      this.#tell({ type: 'took', held: committed, whole: !change });
      this.#tell({ type: 'caughtUp' });
    });
  }

  #train({ round, work }: Effect<'train'>): void {
    const { steps, othersShare } = work;
    this.#speed = this.spec.stepsPerSecond * this.#luck();
    const seconds = steps / this.#speed;
    this.#member = { round, othersShare, steps, seconds };
    this.#become('train', round);
    this.#later(seconds, () => this.#tell({ type: 'trained', round, finite: true }));
  }

  #store({ round, base, incarnation }: Effect<'store'>): void {
    const { spec, lines } = this.#in;
    const { othersShare, steps, seconds } = this.#member;
    this.#become('upload', round);
    const bytes = spec.contributionBytes * othersShare;
    this.#transport(lines.reduce, bytes, this.spec.up, () => {
      this.#in.moved('contributions', bytes);
      this.#become('wait', 0);
      const contribution = {
        ...({ type: 'contribution', round } as const),
        ...{ tokens: steps * (spec.tokensPerStep ?? 1), weight: steps, steps, seconds },
        ...{ baseHash: base.hash, layoutHash: LAYOUT, length: 1, finite: true, norm: 1 },
        contentHash: `${this.name}.${incarnation}.${round}`,
      };
      this.#tell({ type: 'stored', round, contribution });
    });
  }

  /** How its speed differs in this round. */
  #luck(): number {
    const { jitter = 0, straggling } = this.#in.spec;
    const drawn = jitter > 0 ? Math.exp(jitter * this.#random.normal()) : 1;
    const slow = straggling && this.#random.uniform() < straggling.probability;
    return slow ? drawn / straggling.factor : drawn;
  }

  /** Gives up whatever takes its time. */
  #drop(): void {
    this.#begun++;
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

  #beat(): void {
    this.#beats = true;
    this.#in.queue.after(BEAT, () => {
      this.#beats = false;
      if (this.alive && this.#state.life === 'suspended') this.#tell({ type: 'beat' });
    });
  }

  #send(incarnation: number, message: MessageOfMember<PlannedCargo>): void {
    const sender = { run: RUN, worker: this.name, incarnation };
    switch (message.type) {
      case 'join':
        this.#in.send({ ...sender, ...message, layoutHash: LAYOUT, stepsPerSecond: this.spec.stepsPerSecond });
        break;
      case 'contribution':
        this.#in.send({ ...sender, ...message.contribution });
        break;
      case 'sum':
        throw new Error('reduction has its place in the lines here');
      default:
        this.#in.send({ ...sender, ...message });
    }
  }
}
