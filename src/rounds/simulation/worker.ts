import { InOrder } from '../../base/in-order.js';
import type { Random } from '../../base/random.js';
import type { StartRound } from '../events.js';
import type { MemberEffect, MemberEnd, MemberInput, MemberState, MessageOfMember } from '../member/types.js';
import { createMember } from '../member.js';
import type { Committed } from '../types.js';
import type { FromSimulated, MemberMachine, SimulatedCargo, SimulatedMessage } from './cargo.js';
import { SimulatedHost } from './host.js';
import { hashModel, type ModelParameters, sumShard } from './model.js';
import type { SimulatedNetwork } from './network.js';
import type { SimulatedStore, StoredContribution } from './store.js';

/**
 * - `honest`: does what it should
 * - `idle`: connects and never says another word
 * - `fresh`: reports random parameters of its own as if they were the run's
 * - `stubborn`: keeps its local update after an abort instead of going back
 * - `early`: contributes to the round after the open one as well
 * - `silent`: takes part, and never contributes
 * - `fickle`: takes part, and at random contributes, contributes late or what is refused, or does not
 */
export type Character = 'honest' | 'idle' | 'fresh' | 'stubborn' | 'early' | 'silent' | 'fickle';

/** By which a run alone does not make progress. */
export const USELESS: ReadonlySet<Character> = new Set(['idle', 'fresh', 'silent', 'fickle']);

/** Tokens of a simulated inner step. */
export const TOKENS_PER_STEP = 64;

/** Sees what members do. */
export interface MemberWatch {
  /** Its host is about to do steps of a round. */
  readonly trains: (worker: SimulatedWorker, round: number) => void;
  /** Its host is about to take a step along a chain. */
  readonly takes: (worker: SimulatedWorker) => void;
  readonly says: (worker: SimulatedWorker, incarnation: number, message: MessageOfMember<SimulatedCargo>) => void;
}

/** What a simulated worker lives in. */
export interface Surroundings {
  readonly run: string;
  readonly machine: MemberMachine;
  readonly network: SimulatedNetwork;
  readonly store: SimulatedStore;
  readonly random: Random;
  readonly layout: { readonly hash: string; readonly length: number };
  /** Puts a message on the line to the coordinator. */
  readonly send: (message: FromSimulated) => void;
  /** Sees what it does; see `Monitor`. */
  readonly watch: MemberWatch;
  /** Virtual milliseconds between heartbeats; `null`: none, nothing is ever lost. */
  readonly heartbeatEvery: number | null;
  /** Virtual milliseconds that a tensor of this model takes on a worker's line. */
  readonly transfer: number;
  /** τ, in inner steps. */
  readonly overlap: number;
  /** Whether heartbeats wait behind tensors: the fault that rule 9 forbids. */
  readonly sharedLine: boolean;
  /** Probability that parameters are damaged on their way to the worker. */
  damage: number;
  /** Probability that something cannot be fetched or stored now. */
  miss: number;
}

type Effect<T extends MemberEffect<SimulatedCargo>['type']> = Extract<
  MemberEffect<SimulatedCargo>,
  { readonly type: T }
>;

/** A step along a chain. */
interface Way {
  readonly round: number;
  /** Whether it is the snapshot. */
  readonly whole: boolean;
  readonly take: () => void;
}

/** A worker of the simulated network: carries out what the member's machine says, but for what its character is. */
export class SimulatedWorker {
  readonly name: string;
  readonly character: Character;
  /** Inner steps in a virtual millisecond. */
  readonly speed: number;
  readonly host = new SimulatedHost();
  state: MemberState<SimulatedCargo>;
  /** How often it was thrown out although it lived. */
  thrownOut = 0;
  /** How its part has ended, if it has. */
  ended: MemberEnd | 'failed' | null = null;
  /** How many of its next contributions are more than it may store. */
  full = 0;
  /** The highest round that it was told to be over in this life. */
  heardClosed = -1;
  /** Whether it was told that the run is over, and lived. */
  heardStop = false;
  /** What the last round that it was told to start starts from. */
  start: { readonly round: number; readonly base: Committed } | null = null;
  #crashed = false;
  readonly #in: Surroundings;
  readonly #events = new InOrder<MemberInput<SimulatedCargo>>((event) => this.#handle(event));
  /** Numbers of what is under way, so that what was stopped does not go on. */
  #training = 0;
  #storing = 0;
  #reducing = 0;
  #trained: (StoredContribution & { readonly round: number; readonly steps: number }) | null = null;
  #lineFree = 0;
  /** A stubborn one's own parameters. */
  #kept: ModelParameters | null = null;
  #aborted = false;

  constructor(surroundings: Surroundings, name: string, incarnation: number, speed: number, character: Character) {
    this.#in = surroundings;
    this.name = name;
    this.speed = speed;
    this.character = character;
    this.state = createMember(incarnation, surroundings.overlap);
    this.#tell({ type: 'start' });
    this.#beat();
  }

  get incarnation(): number {
    return this.state.incarnation;
  }

  get alive(): boolean {
    return !this.#crashed && this.ended === null;
  }

  /** What it would train on as the run's. */
  get parameters(): ModelParameters | null {
    return this.#kept ?? this.host.parameters;
  }

  /** Ends without a word. */
  crash(): void {
    this.#crashed = true;
  }

  leave(): void {
    this.#tell({ type: 'leave', reason: 'told to' });
  }

  receive(incarnation: number, message: SimulatedMessage): void {
    if (this.character === 'idle' || !this.alive) return;
    if (incarnation === this.incarnation) {
      if ('closed' in message) this.heardClosed = Math.max(this.heardClosed, message.closed);
      this.heardStop ||= message.type === 'stopped';
      if (message.type === 'startRound') this.start = message;
      if (message.type === 'evict' && !message.banned) this.thrownOut++;
      this.#aborted = message.type === 'abort';
      if (message.type === 'heal' && this.#kept !== null) {
        this.#kept = null;
        this.host.rollBack();
      }
    }
    this.#tell({ type: 'heard', incarnation, message });
  }

  #tell(event: MemberInput<SimulatedCargo>): void {
    this.#events.add(event);
  }

  #handle(event: MemberInput<SimulatedCargo>): void {
    if (!this.alive) return;
    const { state, effects } = this.#in.machine(this.state, event);
    this.state = state;
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: MemberEffect<SimulatedCargo>): void {
    switch (effect.type) {
      case 'send':
        this.#send(effect.incarnation, effect.message);
        break;
      case 'train':
        this.#train(effect);
        break;
      case 'stopTraining':
        this.#halt();
        break;
      case 'store':
        this.#store(effect);
        break;
      case 'stopStoring':
        this.#storing++;
        break;
      case 'catchUp':
        this.#catchUp(effect);
        break;
      case 'rollBack':
        this.#rollBack();
        break;
      case 'reduce':
        this.#reduce(effect);
        break;
      case 'stopReducing':
        this.#reducing++;
        break;
      case 'end':
        this.ended = effect.ended;
        break;
      case 'fail':
        this.ended = 'failed';
    }
  }

  #train({ round, work, mixAfter }: Effect<'train'>): void {
    const { random, watch } = this.#in;
    watch.trains(this, round);
    this.host.begin(round, mixAfter === 0);
    const number = ++this.#training;
    const { steps, fragment } = work;
    if (this.character === 'silent' || (this.character === 'fickle' && random.uniform() < 0.5)) return;
    const late = this.character === 'fickle' ? 1 + random.uniform() : 1;
    const after = (some: number, run: () => void) =>
      this.#later((late * some) / this.speed, () => {
        if (this.#training === number) run();
      });
    const mayMix = () => {
      this.host.mixable = true;
      this.#tell({ type: 'mixable', round });
    };
    if (mixAfter > 0) after(mixAfter, mayMix);
    after(steps, () => {
      this.#trained = { round, steps, ...this.host.finish(this.name, steps, fragment) };
      this.#tell({ type: 'trained', round, finite: this.character !== 'fickle' || random.uniform() < 0.5 });
    });
  }

  /** Ends with the step in progress. */
  #halt(): void {
    this.#training++;
    const round = this.host.training!;
    this.#later(this.#in.random.uniform() / this.speed, () => {
      this.host.halt(this.name);
      this.#tell({ type: 'halted', round });
    });
  }

  #store({ incarnation, round, base }: Effect<'store'>): void {
    const { store, transfer, network, random, miss, layout } = this.#in;
    const { value, steps, base: from, rounds } = this.#trained!;
    const number = ++this.#storing;
    this.#lineFree = network.now + transfer;
    this.#later(transfer, () => {
      if (this.#storing !== number) return;
      const full = this.full > 0;
      if (full || random.uniform() < miss) {
        this.full = Math.max(0, this.full - 1);
        this.#tell({ type: 'notStored', round, full, reason: full ? 'no room' : 'not now' });
        return;
      }
      const contentHash = `${value.toString(16)}@${this.name}.${incarnation}.${round}`;
      store.contributions.set(contentHash, { value, base: from, rounds });
      const contribution = {
        type: 'contribution',
        round,
        tokens: steps * TOKENS_PER_STEP,
        // As where only some of a sample's tokens are learned.
        weight: steps * (1 + (value % TOKENS_PER_STEP)),
        steps,
        seconds: steps / this.speed / 1000,
        layoutHash: layout.hash,
        length: layout.length,
        finite: this.character !== 'fickle' || random.uniform() < 0.5,
        norm: 1 + (value % 100) / 100,
        baseHash: base.hash,
        contentHash,
      } as const;
      this.#tell({ type: 'stored', round, contribution });
    });
  }

  /** Along the chain, one transfer after another; `fresh` makes up what it holds. */
  #catchUp({ committed, chain, held }: Effect<'catchUp'>): void {
    const { store, random } = this.#in;
    if (this.character === 'fresh') {
      this.host.load(store.parameters.get(committed.hash)!.map(() => random.uint32()));
      this.#took(committed.round, true);
      this.#tell({ type: 'caughtUp' });
      return;
    }
    const { snapshot, results } = this.host.pathOf(chain, held);
    const ways = results.map(({ round, hash, fragment }) => ({
      ...{ round, whole: false },
      take: () => this.host.apply(fragment, this.#fetched(store.parameters.get(hash)![fragment]!)),
    }));
    const { round, hash } = chain.snapshot;
    const all = () => this.host.load(store.parameters.get(hash)!.map((one) => this.#fetched(one)));
    const whole = { round, whole: true, take: all };
    this.#walk(snapshot ? [whole, ...ways] : ways);
  }

  #walk([first, ...rest]: readonly Way[]): void {
    if (first === undefined) {
      this.#tell({ type: 'caughtUp' });
      return;
    }
    const { store, random, transfer, miss } = this.#in;
    this.#later(transfer, () => {
      const gone = miss > 0 && first.round < store.oldest;
      if (gone || random.uniform() < miss) {
        this.#tell({ type: 'cutOff', reason: gone ? 'deleted' : 'not now' });
        return;
      }
      this.#in.watch.takes(this);
      first.take();
      this.#took(first.round, first.whole);
      this.#walk(rest);
    });
  }

  #fetched(stored: number): number {
    const { random, damage } = this.#in;
    return damage > 0 && random.uniform() < damage ? (stored ^ 1) >>> 0 : stored;
  }

  #took(round: number, whole: boolean): void {
    this.#tell({ type: 'took', held: { round, hash: this.host.hash }, whole });
  }

  #rollBack(): void {
    if (this.character === 'stubborn' && this.#aborted && this.host.rounds.length > 0) this.#kept = this.host.local;
    else {
      this.#kept = null;
      this.host.rollBack();
    }
    this.#tell({ type: 'rolledBack' });
  }

  #reduce({ request, shards }: Effect<'reduce'>): void {
    const { store, random, transfer, miss } = this.#in;
    const { round, attempt, contributions } = request;
    const number = this.#reducing;
    const values = contributions.map(({ contentHash, weight }) => ({
      value: store.contributions.get(contentHash)!.value,
      weight,
    }));
    for (const shard of shards) {
      this.#later(transfer * (0.5 + random.uniform()), () => {
        if (this.#reducing !== number) return;
        const done = random.uniform() >= miss;
        const value = done ? sumShard(values, shard) : null;
        this.#tell({ type: 'reduced', round, attempt, shard, done, sum: { round, attempt, shard, value } });
      });
    }
  }

  #send(incarnation: number, message: MessageOfMember<SimulatedCargo>): void {
    const { run, layout, send, watch } = this.#in;
    const { name: worker } = this;
    // What is spread comes last: V8 is a hundred times slower the other way round.
    watch.says(this, incarnation, message);
    if (message.type === 'join') this.heardClosed = this.state.closed;
    switch (message.type) {
      case 'join':
        send({ run, worker, incarnation, layoutHash: layout.hash, stepsPerSecond: null, ...message });
        break;
      case 'contribution': {
        const { contribution } = message;
        const told = { run, worker, incarnation, ...contribution };
        send(told);
        if (this.character === 'early') send({ ...told, round: contribution.round + 1 });
        break;
      }
      case 'sum':
        send({ worker, incarnation, type: 'sum', ...message.sum });
        break;
      case 'report':
        send({
          run,
          worker,
          incarnation,
          ...(this.#kept === null ? message : { ...message, hash: hashModel(this.#kept) }),
        });
        break;
      default:
        send({ run, worker, incarnation, ...message });
    }
  }

  #beat(): void {
    const { heartbeatEvery, network } = this.#in;
    if (heartbeatEvery === null || this.character === 'idle') return;
    this.#later(heartbeatEvery, () => {
      const wait = this.#in.sharedLine ? Math.max(0, this.#lineFree - network.now) : 0;
      this.#later(wait, () => {
        this.#tell({ type: 'beat' });
        this.#beat();
      });
    });
  }

  #later(delay: number, run: () => void): void {
    this.#in.network.after(delay, () => {
      if (this.alive) run();
    });
  }
}

/** A round's start as its member reads it. */
export function startFor(
  { round, base, members }: StartRound,
  worker: string,
  fragments: number,
): Extract<SimulatedMessage, { readonly type: 'startRound' }> {
  const { steps } = members.find((member) => member.worker === worker)!;
  const of = (number: number) => ({ steps, fragment: number % fragments });
  return { type: 'startRound', round, base, ...of(round), next: fragments > 1 ? of(round + 1) : null };
}
