import { fragmentOf } from '../../averaging/fragments.js';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { type Effect, nextDeadline } from '../../rounds/index.js';
import type { RunKey } from '../../transport/signed.js';
import type { Transport } from '../../transport/transport.js';
import type { CoordinatorEvent } from '../events.js';
import type { UpMessage } from '../protocol/up.js';
import { inputOf, senderOfInput } from './inputs.js';
import type { Journal } from './journal.js';
import type { Keeper } from './keeper.js';
import { Mailbox, readMessage } from './mailbox.js';
import { Merging, type MergingOptions } from './merging.js';
import { knownNames, makeRoom } from './names.js';
import { ENOUGH, Nuisance } from './nuisance.js';
import type { Observations } from './observations.js';
import { Rooms } from './rooms.js';
import type { RunState } from './run-state.js';
import { StateWriter } from './state-writer.js';
import { waitingOf } from './status-of.js';
import { type RunContext, type RunInput, type RunStep, stepRun, worthStoring } from './step-run.js';

/** Between two words about what is waited for: milliseconds. */
const TELL = 5000;
/** What a coordinator that leads works with. */
export interface CoordinatorParts {
  readonly run: string;
  readonly context: RunContext;
  readonly keeper: Keeper;
  readonly journal: Journal;
  readonly transport: Transport;
  /** Bytes that a worker may have stored. */
  readonly quota: number;
  /** By which what it says and stores is signed. */
  readonly key: RunKey;
  /** Higher than that of all who have led before. */
  readonly term: number;
  readonly seen: Observations;
  /** Shards of each fragment. */
  readonly shards: readonly number[];
  /** Milliseconds of silence after which a reducer's shards go to others. */
  readonly patience: number;
  readonly exchange: MergingOptions['exchange'];
  /** Whether two reduce each shard and are compared. */
  readonly doubleSums: boolean;
  /** From 0 to 1, for what nobody must foretell; cryptographic unless given. */
  readonly random?: () => number;
  /** Stored already, at this revision; the keeper holds its committed vectors. */
  readonly state: RunState;
  readonly revision: number;
  readonly emit: (event: CoordinatorEvent) => void;
  /** After each commit, when it is stored; the keeper holds it until this returns and for what is begun by then. */
  readonly onCommit: (commit: CommittedRound) => void;
  /** Workers were banned, there at the moment or not. */
  readonly onBanned: (workers: readonly string[]) => void;
  /** Workers are gone for good and forgotten. */
  readonly onForgotten: (workers: readonly string[]) => void;
}

/** A commit as it has just been stored. */
export interface CommittedRound {
  readonly before: RunState;
  readonly state: RunState;
  readonly workers: readonly string[];
  readonly missed: readonly string[];
  /** Bytes of the result. */
  readonly bytes: number;
  /** By `performance.now()`. */
  readonly times: { readonly merging: number; readonly reduced: number; readonly committed: number };
}

/** Why a coordinator's work is over: the run is, or another leads. */
export type Outcome = 'stopped' | 'lost';

interface Queued {
  readonly input: RunInput;
  readonly done: () => void;
}

/**
 * Drives the machine of `rounds/` between machines: what comes is queued, stepped, stored by compare-and-set, and only
 * then carried out. A commit is written to the journal before that. If this process dies anywhere, another carries on
 * from what is stored.
 */
export class Coordinator {
  readonly #parts: CoordinatorParts;
  readonly #mailbox: Mailbox;
  readonly #merging: Merging;
  readonly #nuisance = new Nuisance();
  readonly #rooms: Rooms;
  readonly #writer: StateWriter;
  #state: RunState;
  #queue: Queued[] = [];
  #draining = false;
  #connected = true;
  #timer: NodeJS.Timeout | undefined;
  #over = false;
  #resolve: (outcome: Outcome) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(parts: CoordinatorParts) {
    this.#parts = parts;
    this.#state = parts.state;
    this.#mailbox = new Mailbox(parts.transport.control, parts.run, parts.context, parts.key, parts.term);
    const { context, keeper, shards, patience, transport } = parts;
    const isOver = () => this.#over;
    const onNotice = (message: string) => parts.emit({ type: 'notice', message });
    const { key, revision } = parts;
    this.#writer = new StateWriter({ store: transport.state, key, revision, isOver, onNotice });
    this.#rooms = new Rooms({
      ...{ quotas: transport.quotas, blobs: transport.blobs, bytes: parts.quota, state: () => this.#state },
      ...{ isOver, onNotice },
    });
    this.#merging = new Merging({
      ...{ context, keeper, shards, patience, blobs: transport.blobs },
      state: () => this.#state,
      send: (worker, message) => {
        const address = this.#state.rounds.workers.find((one) => one.worker === worker);
        if (address) this.#mailbox.send(address, message);
      },
      refuse: (...about) => this.refuse(...about),
      evict: (worker, reason) => void this.happen({ type: 'event', event: { type: 'evict', worker, reason } }),
      ...{ exchange: parts.exchange, double: parts.doubleSums, ...(parts.random && { random: parts.random }) },
      onEnd: (input) => void this.happen(input),
      onFailure: (error) => this.#reject(error),
    });
  }

  get state(): RunState {
    return this.#state;
  }

  /** Deletes what nobody needs any more. Never fails. */
  sweep(): Promise<void> {
    return this.#rooms.sweep();
  }

  /** Carries on with the stored state until the run stops or leadership is lost. */
  async lead(lost: AbortSignal): Promise<Outcome> {
    const { transport } = this.#parts;
    const outcome = new Promise<Outcome>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const onLost = () => this.#resolve('lost');
    lost.addEventListener('abort', onLost);
    const stopListening = transport.control.listen({ to: 'up', worker: '*' }, (bytes, from) => {
      if (from.to === 'up') this.#hear(bytes, from.worker);
    });
    const stopStatus = transport.onStatus(({ connected, reason }) => this.#onStatus(connected, reason));
    const telling = setInterval(() => this.#tellWaiting(), TELL);
    try {
      await this.#rooms.restore();
      if (lost.aborted) onLost();
      void this.happen({ type: 'event', event: { type: 'restart' } });
      return await outcome;
    } finally {
      this.#over = true;
      for (const { done } of this.#queue.splice(0)) done();
      clearTimeout(this.#timer);
      clearInterval(telling);
      this.#merging.stop();
      stopListening();
      stopStatus();
      lost.removeEventListener('abort', onLost);
    }
  }

  /** Resolves when it has been dealt with and stored, or never will be, since this one leads no more. */
  happen(input: RunInput): Promise<void> {
    if (this.#over) return Promise.resolve();
    const dealtWith = new Promise<void>((done) => {
      this.#queue.push({ input, done });
    });
    if (!this.#draining) {
      this.#draining = true;
      this.#drain().catch((error: unknown) => this.#reject(error));
    }
    return dealtWith;
  }

  /** Something was refused: its sender is told, and people are. */
  refuse(worker: string, about: string, code: string, reason: string): void {
    const known = this.#state.rounds.workers.find((one) => one.worker === worker);
    if (known) this.#mailbox.send(known, { type: 'refuse', about, code, reason });
    this.#note(worker, about, code, reason);
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0 && !this.#over) {
      const batch = this.#queue.splice(0);
      const before = this.#state;
      let state = before;
      const effects: Effect[] = [];
      for (const { input } of batch) {
        const step = this.#step(state, input);
        if (input.type === 'merged') await this.#commit(step.state);
        state = step.state;
        effects.push(...step.effects);
      }
      if (worthStoring(before, state)) {
        state = { ...state, serial: before.serial + 1 };
        if (!(await this.#writer.replace(state))) {
          this.#queue.unshift(...batch);
          this.#resolve('lost');
          return;
        }
      }
      this.#state = state;
      this.#tellChanges(before, state);
      for (const effect of effects) this.#carryOut(effect, before);
      this.#tellGone(before, state);
      for (const { done } of batch) done();
      const commit = batch.find(({ input }) => input.type === 'merged');
      if (commit) this.#onCommit(before, state);
      if (state.rounds.phase === 'stopped') this.#resolve('stopped');
    }
    this.#draining = false;
    this.#arm();
  }

  /** Whatever a worker says, the run goes on: what nobody foresaw of it is refused, and told. */
  #step(state: RunState, input: RunInput): RunStep {
    try {
      return stepRun(this.#parts.context, state, input, performance.now());
    } catch (error) {
      const worker = senderOfInput(input);
      if (worker === null) throw error;
      this.refuse(worker, 'message', 'malformed', `it cannot be dealt with: ${messageOf(error)}`);
      return { state, effects: [], reason: '' };
    }
  }

  /** The commit outlives this machine from here on. */
  async #commit(state: RunState): Promise<void> {
    const { committed } = state.rounds;
    const { keeper, journal } = this.#parts;
    if (keeper.held.hash !== committed.hash || keeper.held.round !== committed.round)
      throw new Error(`round ${committed.round} is committed, but the coordinator holds round ${keeper.held.round}`);
    const { fragment } = state.chain.results.at(-1)!;
    const { parts, hashes } = this.#merging.merged;
    await journal.write({ round: committed.round, fragment, parts, hashes, state });
  }

  #carryOut(effect: Effect, before: RunState): void {
    const state = this.#state;
    switch (effect.type) {
      case 'merge':
        this.#merging.start(effect);
        return;
      case 'waiting':
        this.#tellWaiting();
        return;
      case 'refuse':
        for (const { worker } of effect.to) this.#note(worker, effect.about, effect.code, effect.reason);
        break;
      case 'abort':
        this.#parts.emit({ type: 'aborted', round: effect.round, reason: effect.reason });
        void this.#rooms.sweep();
        break;
      case 'evict':
        for (const { worker } of effect.to)
          this.#parts.emit({ type: 'member', worker, change: 'evicted', reason: effect.reason });
        break;
      case 'startRound':
        if (before.rounds.open?.round !== effect.round && state.rounds.open?.round === effect.round)
          this.#parts.emit(roundOpened(state));
        break;
    }
    this.#mailbox.deliver(effect, state);
  }

  #onCommit(before: RunState, state: RunState): void {
    const members = before.rounds.open?.members ?? [];
    const [workers, missed] = [true, false].map((wanted) =>
      members.filter(({ status }) => (status === 'contributed') === wanted).map(({ worker }) => worker),
    );
    const { parts, begunAt, reducedAt } = this.#merging.take();
    this.#parts.onCommit({
      before,
      state,
      workers: workers!,
      missed: missed!,
      bytes: parts.reduce((sum, { length }) => sum + length, 0),
      times: { merging: begunAt, reduced: reducedAt, committed: performance.now() },
    });
  }

  #hear(bytes: Uint8Array, worker: string): void {
    const message = readMessage(bytes, worker);
    if ('type' in message) this.#dispatch(message);
    else this.refuse(worker, message.about, 'malformed', message.reason);
  }

  #dispatch(message: UpMessage): void {
    const { seen } = this.#parts;
    const known = this.#state.rounds.workers.find((one) => one.worker === message.worker);
    if (known?.incarnation === message.incarnation) seen.heard(message);
    if (message.type === 'reduced' || message.type === 'reduce-failed') {
      const objection = this.#merging.hear(message);
      if (objection !== null) this.refuse(message.worker, message.type, 'malformed', objection);
      return;
    }
    // Where everybody has one credential, anyone may come under any name.
    if (message.type === 'join' && !this.#mayCome(message.worker)) {
      this.refuse(message.worker, 'join', 'full', 'the run knows as many workers as it can');
      return;
    }
    const { context, shards } = this.#parts;
    const input = inputOf(message, (round) => shards[fragmentOf(Math.max(1, round), context.fragments)]!);
    if (typeof input === 'string') {
      this.refuse(message.worker, message.type, 'malformed', input);
      return;
    }
    if (message.type === 'contribution') seen.contributed(message);
    if (message.type === 'join' && known === undefined) void this.#letIn(message, input);
    else void this.happen(input);
  }

  /** Who comes has room for its part first; who is not taken has none. */
  async #letIn({ worker, incarnation }: UpMessage, input: RunInput): Promise<void> {
    const { evicted, suspended } = this.#state.rounds;
    const isShut = evicted.includes(worker) || suspended.some((one) => one.worker === worker);
    try {
      if (!isShut) await this.#rooms.open(worker);
    } catch (error) {
      if (!(error instanceof MeanfieldError)) return this.#reject(error);
      const reason = messageOf(error);
      this.#mailbox.send({ worker, incarnation }, { type: 'refuse', about: 'join', code: 'no-room', reason });
      this.#note(worker, 'join', 'no-room', reason);
      return;
    }
    await this.happen(input);
    if (!isShut && !this.#isMember(worker)) await this.#rooms.close(worker);
  }

  #isMember(name: string): boolean {
    return this.#state.rounds.workers.some(({ worker }) => worker === name);
  }

  #mayCome(worker: string): boolean {
    return knownNames(this.#state).has(worker) || makeRoom(this.#state, 1)?.length === 0;
  }

  /** While the connection is lost nobody can be heard, so nobody is taken for dead; all time-outs begin anew then. */
  #onStatus(connected: boolean, reason: string): void {
    this.#parts.emit({ type: 'notice', message: reason });
    const back = connected && !this.#connected;
    this.#connected = connected;
    if (back) void this.happen({ type: 'event', event: { type: 'restart' } });
    else this.#arm();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#over || !this.#connected) return;
    const deadline = nextDeadline(this.#state.rounds);
    if (deadline === null) return;
    const wait = Math.max(1, deadline - performance.now());
    this.#timer = setTimeout(() => void this.happen({ type: 'event', event: { type: 'timer' } }), Math.min(wait, 2e9));
  }

  #tellChanges(before: RunState, state: RunState): void {
    const { emit } = this.#parts;
    const was = new Map(before.rounds.workers.map((worker) => [worker.worker, worker]));
    for (const { worker, incarnation, status } of state.rounds.workers) {
      const old = was.get(worker);
      was.delete(worker);
      if (old?.incarnation !== incarnation)
        emit({ type: 'member', worker, change: 'joined', reason: state.hosts[worker] ?? '' });
      if (status === 'ready' && (old?.status ?? 'joined') === 'joined')
        emit({ type: 'member', worker, change: 'ready', reason: 'it holds the committed parameters' });
    }
    for (const worker of was.keys()) void this.#rooms.close(worker);
    for (const worker of was.keys())
      emit({ type: 'member', worker, change: 'left', reason: 'it said so, or was silent for too long' });
  }

  /** After all messages to them. */
  #tellGone(before: RunState, state: RunState): void {
    const { evicted } = state.rounds;
    if (evicted !== before.rounds.evicted) {
      const banned = evicted.filter((worker) => !before.rounds.evicted.includes(worker));
      if (banned.length > 0) this.#parts.onBanned(banned);
    }
    if (state.hosts === before.hosts && state.rounds.departed === before.rounds.departed) return;
    const known = knownNames(state);
    const forgotten = [...knownNames(before)].filter((worker) => !known.has(worker));
    if (forgotten.length > 0) this.#parts.onForgotten(forgotten);
  }

  #tellWaiting(): void {
    const waiting = waitingOf(this.#state, performance.now());
    if (waiting) this.#parts.emit({ type: 'waiting', ...waiting });
  }

  #note(worker: string, about: string, code: string, reason: string): void {
    // It was told for how long; what it says meanwhile need not be told to people.
    if (code === 'suspended') return;
    this.#parts.seen.refused({ worker, about, code, reason });
    this.#parts.emit({ type: 'refused', worker, about, code, reason });
    if (!this.#state.rounds.workers.some((one) => one.worker === worker) || !this.#nuisance.refused(worker)) return;
    const enough = `${ENOUGH} of its messages were refused within a minute, the last one because ${reason}`;
    void this.happen({ type: 'event', event: { type: 'suspend', worker, reason: enough } });
  }
}

/** With the steps that each member was given, which samples given out before may decide. */
function roundOpened({ rounds }: RunState) {
  const { round, members } = rounds.open!;
  const each = members.map(({ worker, steps }) => ({ worker, steps }));
  return { type: 'round-opened', round, members: each } as const;
}
