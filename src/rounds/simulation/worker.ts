import type { Random } from '../../base/random.js';
import type { Abort, Commit, Heal, MessageToWorker, StartRound, Stopped, Welcome, WorkerMessage } from '../events.js';
import type { Committed } from '../types.js';
import { hashModel, type ModelParameters, trainModel } from './model.js';
import type { SimulatedNetwork } from './network.js';
import type { SimulatedStore } from './store.js';

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
/** Virtual milliseconds between two attempts of a suspended worker to join again. */
const KNOCK = 1000;

/** What a simulated worker lives in. */
export interface Surroundings {
  readonly run: string;
  readonly network: SimulatedNetwork;
  readonly store: SimulatedStore;
  readonly random: Random;
  readonly layout: { readonly hash: string; readonly length: number };
  /** Puts a message on the line to the coordinator. */
  readonly send: (message: WorkerMessage) => void;
  /** Virtual milliseconds between heartbeats; `null`: none, nothing is ever lost. */
  readonly heartbeatEvery: number | null;
  /** Virtual milliseconds that a tensor of this model takes on a worker's line. */
  readonly transfer: number;
  /** Whether heartbeats wait behind tensors: the fault that rule 9 forbids. */
  readonly sharedLine: boolean;
  /** Probability that parameters are damaged on their way to the worker. */
  damage: number;
}

/** A worker of the simulated network: joins, downloads, reports, trains, contributes, repeats what was lost. */
export class SimulatedWorker {
  readonly name: string;
  readonly character: Character;
  /** Inner steps in a virtual millisecond. */
  readonly speed: number;
  incarnation: number;
  alive = true;
  /** How often it was thrown out although it lived. */
  thrownOut = 0;
  holds: Committed | null = null;
  parameters: ModelParameters | null = null;
  readonly #in: Surroundings;
  #welcome = false;
  #closed = -1;
  #target: Committed | null = null;
  #round: number | null = null;
  #pending: WorkerMessage | null = null;
  #lineFree = 0;
  #knocking = false;

  constructor(surroundings: Surroundings, name: string, incarnation: number, speed: number, character: Character) {
    this.#in = surroundings;
    this.name = name;
    this.incarnation = incarnation;
    this.speed = speed;
    this.character = character;
    this.#join();
    this.#beat();
  }

  /** Ends without a word. */
  crash(): void {
    this.alive = false;
  }

  leave(): void {
    if (this.alive) this.#send({ type: 'leave', reason: 'told to' });
    this.alive = false;
  }

  receive(message: MessageToWorker): void {
    switch (message.type) {
      case 'startRound':
        this.#onStart(message);
        break;
      case 'welcome':
      case 'commit':
      case 'abort':
      case 'heal':
      case 'stopped':
        this.#welcome = true;
        this.#onStanding(message);
        break;
      case 'accepted':
        this.#pending = null;
        break;
      case 'refuse':
        if (message.about === 'contribution') this.#pending = null;
        if (message.code === 'unknown-worker' || message.code === 'old-incarnation') this.#again();
        if (message.code === 'suspended') this.#onSuspended();
        break;
      case 'evict':
        this.thrownOut++;
        this.#again();
    }
  }

  #onStanding(message: Welcome | Commit | Abort | Heal | Stopped): void {
    if (this.character === 'idle') return;
    const { committed } = message;
    this.#closed = Math.max(this.#closed, message.closed);
    if (this.#round !== null && this.#round <= this.#closed) {
      if (this.character === 'stubborn' && message.type === 'abort' && this.parameters !== null)
        this.parameters = trainModel(this.parameters, this.name, this.#round, 1);
      this.#round = null;
      this.#pending = null;
    }
    if (this.character === 'fresh') this.#invent(committed);
    else if (this.holds === null || committed.round > this.holds.round) this.#fetch(committed);
    else if (committed.round < this.holds.round) return;
    else if (hashModel(this.parameters!) === committed.hash) this.#report();
    else this.#fetch(committed);
  }

  #fetch(committed: Committed): void {
    if (this.#target?.round === committed.round) return;
    if (this.#target && this.#target.round > committed.round) return;
    this.#target = committed;
    this.#later(this.#in.transfer, () => {
      if (this.#target !== committed) return;
      const { store, random, damage } = this.#in;
      const stored = store.parameters.get(committed.hash)!;
      this.parameters = damage > 0 && random.uniform() < damage ? (stored ^ 1) >>> 0 : stored;
      this.holds = committed;
      this.#target = null;
      this.#report();
    });
  }

  #invent(committed: Committed): void {
    this.parameters = this.#in.random.uint32();
    this.holds = committed;
    this.#report();
  }

  #report(): void {
    this.#send({ type: 'report', round: this.holds!.round, closed: this.#closed, hash: hashModel(this.parameters!) });
  }

  #onStart({ round, base, members }: StartRound): void {
    const already = this.#round !== null && round <= this.#round;
    if (already || round <= this.#closed || this.holds?.round !== base.round || this.#target) return;
    const steps = members.find((member) => member.worker === this.name)!.steps;
    this.#round = round;
    this.#pending = null;
    const { random } = this.#in;
    if (this.character === 'silent' || (this.character === 'fickle' && random.uniform() < 0.5)) return;
    const late = this.character === 'fickle' ? 1 + random.uniform() : 1;
    this.#later((late * steps) / this.speed, () => {
      if (this.#round === round) this.#contribute(round, steps);
    });
  }

  #contribute(round: number, steps: number): void {
    const { store, transfer } = this.#in;
    const value = trainModel(this.parameters!, this.name, round, steps);
    const contentHash = `${value.toString(16)}@${this.name}.${this.incarnation}.${round}`;
    store.contributions.set(contentHash, { value, base: hashModel(this.parameters!) });
    const contribution = this.#message({
      type: 'contribution',
      round,
      tokens: steps * TOKENS_PER_STEP,
      steps,
      seconds: steps / this.speed / 1000,
      layoutHash: this.#in.layout.hash,
      length: this.#in.layout.length,
      finite: this.character !== 'fickle' || this.#in.random.uniform() < 0.5,
      norm: 1 + (value % 100) / 100,
      baseHash: hashModel(this.parameters!),
      contentHash,
    });
    this.#lineFree = this.#in.network.now + transfer;
    this.#later(transfer, () => {
      if (this.#round !== round) return;
      this.#pending = contribution;
      this.#in.send(contribution);
      if (this.character === 'early' && contribution.type === 'contribution')
        this.#in.send({ ...contribution, round: round + 1 });
    });
  }

  /** Keeps quiet for a while, then tries a new life; words of the old one are no matter. */
  #onSuspended(): void {
    if (this.#knocking) return;
    this.#knocking = true;
    this.#later(KNOCK, () => {
      this.#knocking = false;
      this.#again();
    });
  }

  /** A new life, since the last one is over for the coordinator. */
  #again(): void {
    this.incarnation++;
    this.#welcome = false;
    this.#round = null;
    this.#pending = null;
    this.#target = null;
    this.#join();
    this.#beat();
  }

  #join(): void {
    this.#send({ type: 'join', layoutHash: this.#in.layout.hash, stepsPerSecond: null });
  }

  #beat(): void {
    const { heartbeatEvery, network } = this.#in;
    if (heartbeatEvery === null || this.character === 'idle') return;
    this.#later(heartbeatEvery, () => {
      const wait = this.#in.sharedLine ? Math.max(0, this.#lineFree - network.now) : 0;
      this.#later(wait, () => {
        if (!this.#welcome) this.#join();
        else this.#send({ type: 'heartbeat', holds: this.holds?.round ?? null, round: this.#round });
        if (this.#pending) this.#in.send(this.#pending);
        this.#beat();
      });
    });
  }

  /** Later in this life, if it still lasts. */
  #later(delay: number, run: () => void): void {
    const life = this.incarnation;
    this.#in.network.after(delay, () => {
      if (this.alive && this.incarnation === life) run();
    });
  }

  #send(body: WithoutSender<WorkerMessage>): void {
    this.#in.send(this.#message(body));
  }

  #message(body: WithoutSender<WorkerMessage>): WorkerMessage {
    return { ...body, run: this.#in.run, worker: this.name, incarnation: this.incarnation };
  }
}

type WithoutSender<T> = T extends WorkerMessage ? Omit<T, 'run' | 'worker' | 'incarnation'> : never;
