import { MeanfieldError, messageOf } from '../../base/errors.js';
import { QuotaError } from '../../transport/errors.js';
import type { Transport } from '../../transport/transport.js';
import type { WorkerEvent, WorkerResult } from '../events.js';
import type { MemberHandle, Trained } from '../model-thread/commands.js';
import type { DownMessage, StandingMessage, StartMessage, Work } from '../protocol/down.js';
import { putParts } from '../protocol/manifest.js';
import type { UpMessage } from '../protocol/up.js';
import { encodeMessage } from '../protocol/wire.js';
import { workerQuota } from '../quotas.js';
import type { BlobCache } from './blob-cache.js';
import { catchUp, type Held } from './catch-up.js';
import { Reducer } from './reducer.js';

/** What a member lives in. */
export interface MemberOptions {
  readonly run: string;
  readonly worker: string;
  readonly incarnation: number;
  readonly control: Transport['control'];
  readonly blobs: BlobCache;
  /** Its graphs are compiled; it holds no parameters yet. */
  readonly host: MemberHandle;
  readonly layout: { readonly hash: string; readonly length: number };
  /** Bytes of each part of a contribution or a result, by fragment and shard. */
  readonly sizes: readonly (readonly number[])[];
  /** Committed vectors: parameters, and what else the machines agree on. */
  readonly vectors: number;
  /** τ. */
  readonly overlap: number;
  readonly heartbeatSeconds: number;
  /** Members of this process, which share its traffic. */
  readonly siblings: number;
  readonly emit: (event: WorkerEvent) => void;
}

type Ended = WorkerResult['ended'];
/** Heartbeats between two attempts of a suspended member to join again. */
const KNOCKS = 4;
/** Contributions in a row beyond its quota after which a member gives up: what fills it may be deleted in between. */
const BEYOND = 3;
type Body<T> = T extends UpMessage ? Omit<T, 'run' | 'worker' | 'incarnation'> : never;

/** Inner steps of the round after the one that was contributed to, made while that one is merged. */
interface Ahead {
  readonly round: number;
  readonly trained: Promise<Trained | null>;
  /** Resolves when the delay τ is over. */
  readonly mayMix: Promise<void>;
}

/**
 * A replica as a member of the run: joins, takes the committed parameters, reports their hash, trains, contributes,
 * reduces, and repeats with each heartbeat what may have been lost. The rules are those of the simulated worker in
 * `rounds/simulation`, under which the rounds' machine is tested.
 */
export class Member {
  readonly worker: string;
  /** Rejected when the coordinator refuses it for good, or the model's host fails. */
  readonly ended: Promise<Ended>;
  rounds = 0;
  tokens = 0;
  /** What it waits for, for people, and since when by `performance.now()`; `busy`: it works. */
  doing: { readonly what: string; readonly since: number; readonly busy: boolean } = { what: '', since: 0, busy: true };
  readonly #options: MemberOptions;
  readonly #reducer: Reducer;
  #incarnation: number;
  #welcome = false;
  #closed = -1;
  #holds: Held | null = null;
  /** The committed parameters that are under way. */
  #target: Held | null = null;
  /** The round that it trains in or has contributed to. */
  #round: number | null = null;
  #pending: UpMessage | null = null;
  #ahead: Ahead | null = null;
  /** Ends the upload of a contribution that no longer counts. */
  #upload = new AbortController();
  /** What takes parameters, one after another. */
  #taking: Promise<void> = Promise.resolve();
  #training: Promise<void> = Promise.resolve();
  #beat: NodeJS.Timeout | undefined;
  #suspended = false;
  #knocks = 0;
  /** Contributions in a row that were more than it may store. */
  #beyond = 0;
  #over = false;
  #resolve: (ended: Ended) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(options: MemberOptions) {
    this.#options = options;
    this.worker = options.worker;
    this.#incarnation = options.incarnation;
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const { worker, blobs, host, sizes } = options;
    const tell = (reduced: Parameters<ConstructorParameters<typeof Reducer>[0]['tell']>[0]) =>
      this.#send(
        'result' in reduced
          ? { type: 'reduced', ...reduced, squares: [...reduced.squares] }
          : { type: 'reduce-failed', ...reduced },
      );
    this.#reducer = new Reducer({ worker, blobs, host, sizes, tell });
  }

  /** Asks to take part, and from then on gives signs of life. */
  start(): void {
    this.#wait('an answer to its request to join');
    this.#join();
    this.#beat = setInterval(() => this.#heartbeat(), 1000 * this.#options.heartbeatSeconds);
  }

  /** The message system has shut its process out: nobody would hear a farewell. */
  shutOut(): void {
    if (!this.#over) this.#end('evicted');
  }

  /** Leaves; what it has delivered counts. */
  leave(reason: string): void {
    if (this.#over) return;
    this.#send({ type: 'leave', reason });
    this.#end('left');
  }

  receive(incarnation: number, message: DownMessage): void {
    if (this.#over || incarnation !== this.#incarnation) return;
    switch (message.type) {
      case 'welcome':
      case 'commit':
      case 'abort':
      case 'heal':
        this.#onStanding(message);
        break;
      case 'stopped':
        this.#onStanding(message);
        void this.#taking.then(() => this.#end('finished'));
        break;
      case 'startRound':
        this.#onStart(message);
        break;
      case 'accepted':
        if (this.#pending?.type === 'contribution' && this.#pending.round === message.round) this.#pending = null;
        break;
      case 'refuse':
        this.#onRefuse(message);
        break;
      case 'evict':
        if (message.banned) this.#end('evicted');
        else this.#again(message.reason);
        break;
      case 'reduce':
        void this.#reducer.reduce(message);
    }
  }

  #onStanding(message: StandingMessage): void {
    this.#welcome = true;
    this.#suspended = false;
    this.#closed = Math.max(this.#closed, message.closed);
    if (this.#round !== null && this.#round <= this.#closed) this.#closeRound(message);
    else if (this.#ahead !== null && this.#ahead.round <= this.#closed) this.#drop();
    const { committed } = message;
    const { worker, emit } = this.#options;
    const holds = this.#holds;
    if (this.#target !== null && this.#target.round >= committed.round) return;
    if (holds !== null && holds.round > committed.round) return;
    if (holds?.round === committed.round && holds.hash === committed.hash) {
      if (message.type === 'abort') emit({ type: 'aborted', worker, round: message.round, reason: message.reason });
      this.#take(() => this.#report(0));
      return;
    }
    this.#target = committed;
    this.#take(() => this.#catchUp(message));
  }

  /** The round that it takes part in is over: what it still does for it is in vain. */
  #closeRound(message: StandingMessage): void {
    const aborted = this.#round! > message.committed.round;
    this.#round = null;
    this.#pending = null;
    this.#upload.abort();
    this.#reducer.stop();
    // With fragments training goes on through a commit, but for one that came before the steps were done.
    if (aborted || this.#ahead === null) this.#drop();
  }

  /** Gives up the steps that are under way: back to the committed parameters. */
  #drop(): void {
    this.#ahead = null;
    this.#options.host.cancel();
    this.#take(async () => {
      await this.#training;
      await this.#options.host.ask('rollback', null);
    });
  }

  async #catchUp({ chain, committed }: StandingMessage): Promise<void> {
    const { blobs, host, vectors, layout, sizes, worker, emit } = this.#options;
    if (this.#ahead === null) await this.#training;
    else await this.#ahead.mayMix;
    const began = performance.now();
    this.#wait(`the parameters of round ${committed.round}`);
    const taken = (held: Held) => {
      this.#holds = held;
    };
    try {
      await catchUp({ blobs, host, vectors, sizes, length: layout.length }, chain, this.#holds, taken);
      // Who trains on is drawn to the committed parameters; all others start from them.
      if (this.#ahead === null) await host.ask('rollback', null);
      emit({ type: 'committed', worker, round: this.#holds!.round });
    } catch (error) {
      if (!(error instanceof MeanfieldError)) throw error;
      // The chain may have moved on meanwhile: the next heartbeat's answer brings the new one.
      emit({ type: 'notice', message: `${worker} cannot get round ${committed.round} now: ${error.message}` });
      return;
    } finally {
      this.#target = null;
    }
    this.#report((performance.now() - began) / 1000);
  }

  #report(gatherSeconds: number): void {
    if (this.#holds === null) return;
    this.#wait('the next round');
    this.#send({ type: 'report', ...this.#holds, closed: this.#closed, gatherSeconds });
  }

  #onStart(message: StartMessage): void {
    const { round, base } = message;
    const holds = this.#holds;
    if (this.#target !== null || holds?.round !== base.round || holds.hash !== base.hash) return;
    if (round <= this.#closed || (this.#round !== null && round <= this.#round)) return;
    this.#round = round;
    this.#pending = null;
    this.#upload = new AbortController();
    const { worker, emit } = this.#options;
    emit({ type: 'training', worker, round, steps: message.steps });
    const trained = this.#ahead?.round === round ? this.#ahead.trained : this.#train(message).trained;
    this.#ahead = null;
    this.#training = this.#guard(this.#finish(message, trained));
  }

  /** The steps of a round, and what is to be done when they are done. */
  async #finish(message: StartMessage, trained: Promise<Trained | null>): Promise<void> {
    this.#wait(`its steps of round ${message.round}`, true);
    const result = await trained;
    if (result === null || this.#round !== message.round) return;
    if (message.next !== null && result.finite) {
      const { trained, mayMix } = this.#train(message.next);
      this.#ahead = { round: message.round + 1, trained, mayMix };
      trained.catch((error: unknown) => this.#fail(error));
    }
    // Not waited for: the parameters that come next need not wait for the upload.
    void this.#guard(this.#contribute(message, result));
  }

  #train(work: Work): Omit<Ahead, 'round'> {
    const { host, overlap } = this.#options;
    let left = Math.min(overlap, work.steps);
    let mix: () => void = () => {};
    const mayMix = new Promise<void>((resolve) => {
      mix = resolve;
    });
    if (left === 0) mix();
    const { steps, fragment, position, advance, lease } = work;
    const trained = host.ask('train', { steps, fragment, position, advance, lease }, () => {
      if (--left <= 0) mix();
    });
    trained.then(mix, mix);
    return { trained, mayMix };
  }

  async #contribute({ round, base }: StartMessage, trained: Trained): Promise<void> {
    const { worker, blobs, layout, emit } = this.#options;
    const { tokens, steps, seconds, finite, norm, loss, gradientNorm, parts } = trained;
    const { signal } = this.#upload;
    this.#wait(`the upload of its contribution to round ${round}`);
    const began = performance.now();
    let manifest: Awaited<ReturnType<typeof putParts>>;
    try {
      manifest = await putParts(blobs, `${worker}/c/${round}/${this.#incarnation}`, parts, signal);
    } catch (error) {
      if (signal.aborted) return;
      const message = `The contribution of ${worker} to round ${round} could not be stored: ${messageOf(error)}`;
      this.#beyond = error instanceof QuotaError ? this.#beyond + 1 : 0;
      if (this.#beyond >= BEYOND) this.#fail(new MeanfieldError(`${message} ${this.#quotaInWords}`, { cause: error }));
      else emit({ type: 'notice', message });
      return;
    }
    this.#beyond = 0;
    if (this.#round !== round) return;
    const uploadSeconds = (performance.now() - began) / 1000;
    this.#pending = this.#message({
      type: 'contribution',
      round,
      ...{ tokens, steps, seconds, finite, norm, loss, gradientNorm, uploadSeconds, manifest },
      baseHash: base.hash,
      layoutHash: layout.hash,
      length: layout.length,
      traffic: this.#traffic,
    });
    this.#post(this.#pending);
    this.rounds++;
    this.tokens += tokens;
    emit({ type: 'contributed', worker, round, tokens, loss, tokens_per_second: seconds > 0 ? tokens / seconds : 0 });
    this.#wait(`the others' contributions to round ${round}`);
  }

  get #quotaInWords(): string {
    const { sizes, vectors, layout } = this.#options;
    const quota = workerQuota({ parts: sizes, vectors, length: layout.length });
    return (
      `That was ${BEYOND} rounds in a row. A worker of this run may have ${(quota / 1e6).toFixed(1)} MB stored at once, ` +
      'which is more than its part takes; start this one anew, and if that recurs, look at the coordinator: it deletes ' +
      'what nobody needs after each of its snapshots.'
    );
  }

  #onRefuse({ about, code, reason }: Extract<DownMessage, { type: 'refuse' }>): void {
    const { worker, emit } = this.#options;
    if (about === 'contribution') this.#pending = null;
    switch (code) {
      case 'unknown-worker':
      case 'old-incarnation':
      case 'new-incarnation':
        this.#again(reason);
        return;
      case 'evicted':
        this.#end('evicted');
        return;
      case 'suspended':
        this.#onSuspended(reason);
        return;
      case 'stopped':
        this.#end('finished');
        return;
    }
    emit({ type: 'refused', worker, about, code, reason });
    if (about === 'join') this.#fail(new MeanfieldError(`${worker} was refused: ${reason}.`));
  }

  /** It may come again when its time is over: until then it asks now and then. */
  #onSuspended(reason: string): void {
    const { worker, emit } = this.#options;
    if (!this.#suspended) emit({ type: 'notice', message: `${worker} may not take part for now: ${reason}` });
    this.#suspended = true;
    this.#welcome = false;
    this.#wait('the end of its suspension');
  }

  /** A new life, since the last one is over for the coordinator. */
  #again(reason: string): void {
    const { worker, emit } = this.#options;
    emit({ type: 'notice', message: `${worker} joins again: ${reason}` });
    this.#incarnation++;
    this.#welcome = false;
    this.#round = null;
    this.#pending = null;
    this.#upload.abort();
    this.#reducer.stop();
    this.#drop();
    this.#join();
  }

  #join(): void {
    this.#send({ type: 'join', layoutHash: this.#options.layout.hash, stepsPerSecond: null });
  }

  #heartbeat(): void {
    if (this.#suspended) this.#knock();
    else if (!this.#welcome) this.#join();
    else
      this.#send({ type: 'heartbeat', holds: this.#holds?.round ?? null, round: this.#round, traffic: this.#traffic });
    if (this.#pending) this.#post(this.#pending);
  }

  /** Each time as a new life: the last one is over. */
  #knock(): void {
    if (++this.#knocks % KNOCKS !== 0) return;
    this.#incarnation++;
    this.#join();
  }

  get #traffic(): { sent: number; received: number } {
    const { blobs, siblings } = this.#options;
    const { sent, received } = blobs.traffic;
    return { sent: Math.round(sent / siblings), received: Math.round(received / siblings) };
  }

  #wait(what: string, busy = false): void {
    this.doing = { what, since: performance.now(), busy };
  }

  #send(body: Body<UpMessage>): void {
    this.#post(this.#message(body));
  }

  #message(body: Body<UpMessage>): UpMessage {
    const { run, worker } = this.#options;
    return { ...body, run, worker, incarnation: this.#incarnation } as UpMessage;
  }

  #post(message: UpMessage): void {
    if (this.#over) return;
    const { control, worker } = this.#options;
    try {
      control.send({ to: 'up', worker }, encodeMessage(message));
    } catch (error) {
      // A connection that comes back keeps what is sent meanwhile; this one never will.
      this.#fail(
        new MeanfieldError(`${worker} cannot speak to the run any more: ${messageOf(error)}`, { cause: error }),
      );
    }
  }

  #take(work: () => Promise<void> | void): void {
    this.#taking = this.#guard(this.#taking.then(work));
  }

  /** What fails unexpectedly ends the member. */
  async #guard(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#close();
    this.#reject(error);
  }

  #end(ended: Ended): void {
    this.#close();
    this.#resolve(ended);
  }

  #close(): void {
    this.#over = true;
    clearInterval(this.#beat);
    this.#upload.abort();
    this.#reducer.stop();
    this.#options.host.cancel();
  }
}
