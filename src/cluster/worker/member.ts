import { MeanfieldError, messageOf } from '../../base/errors.js';
import { InOrder } from '../../base/in-order.js';
import {
  type Cargo,
  createMember,
  type MemberEffect,
  type MemberInput,
  type MemberNews,
  type MemberState,
  type MessageOfMember,
  memberTick,
  waitOf,
} from '../../rounds/index.js';
import { QuotaError } from '../../transport/errors.js';
import type { Transport } from '../../transport/transport.js';
import { catchUp } from '../catch-up.js';
import type { WorkerEvent, WorkerResult } from '../events.js';
import type { ModelHandle, Trained } from '../model-thread/commands.js';
import type { Chain, DownMessage, ReduceMessage, Work } from '../protocol/down.js';
import { putParts } from '../protocol/manifest.js';
import type { UpMessage } from '../protocol/up.js';
import { encodeMessage } from '../protocol/wire.js';
import { workerQuota } from '../quotas.js';
import type { BlobCache } from './blob-cache.js';
import { type Reduced, Reducer } from './reducer.js';

/** What a member lives in. */
export interface MemberOptions {
  readonly run: string;
  readonly worker: string;
  readonly incarnation: number;
  readonly control: Transport['control'];
  readonly blobs: BlobCache;
  /** Its graphs are compiled; it holds no parameters yet. */
  readonly thread: ModelHandle;
  readonly layout: { readonly hash: string; readonly length: number };
  /** Bytes of each part of a contribution or a result, by fragment and shard. */
  readonly sizes: readonly (readonly number[])[];
  /** Committed vectors: parameters, and what else the machines agree on. */
  readonly vectors: number;
  /** τ. */
  readonly overlap: number;
  /** A folder for what it fetches, where that is not to be in memory. */
  readonly folder?: string | undefined;
  readonly heartbeatSeconds: number;
  /** Members of this process, which share its traffic. */
  readonly siblings: number;
  readonly emit: (event: WorkerEvent) => void;
}

type Ended = WorkerResult['ended'];
type Body<T> = T extends UpMessage ? Omit<T, 'run' | 'worker' | 'incarnation'> : never;

/** What the member's machine carries through between machines. */
interface ClusterCargo extends Cargo {
  readonly chain: Chain;
  readonly work: Work;
  readonly contribution: Body<Extract<UpMessage, { readonly type: 'contribution' }>>;
  readonly reduction: Pick<ReduceMessage, 'fragment' | 'contributions'>;
  readonly sum: Reduced;
}

type Effect<T extends MemberEffect<ClusterCargo>['type']> = Extract<MemberEffect<ClusterCargo>, { readonly type: T }>;

/**
 * A replica as a member of the run. What it does when, the machine of `rounds/member.ts` says; here messages, beats and
 * finished work become its events, and its effects are carried out: with the model's thread, with blobs, over the line.
 */
export class MemberDriver {
  readonly worker: string;
  /** Rejected when the coordinator refuses it for good, or the model's thread fails. */
  readonly ended: Promise<Ended>;
  rounds = 0;
  tokens = 0;
  /** What it waits for, for people, and since when by `performance.now()`; `busy`: it works. */
  doing: { readonly what: string; readonly since: number; readonly busy: boolean } = { what: '', since: 0, busy: true };
  readonly #options: MemberOptions;
  readonly #reducer: Reducer;
  #state: MemberState<ClusterCargo>;
  /** Events that wait for the effects of one before them. */
  readonly #events = new InOrder<MemberInput<ClusterCargo>>((event) => this.#handle(event));
  /** What was trained last, until it is stored. */
  #trained: { readonly round: number; readonly result: Trained } | undefined;
  /** Ends the upload of a contribution that no longer counts. */
  #upload = new AbortController();
  /** Seconds that the parameters took which were not reported yet. */
  #gathered = 0;
  #beat: NodeJS.Timeout | undefined;
  /** What it fails with. */
  #failure: unknown;
  #resolve: (ended: Ended) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(options: MemberOptions) {
    this.#options = options;
    this.worker = options.worker;
    this.#state = createMember(options.incarnation, options.overlap);
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const { worker, blobs, thread, sizes, folder } = options;
    const tell = (sum: Reduced) => {
      const { round, attempt, shard } = sum;
      this.#tell({ type: 'reduced', round, attempt, shard, done: 'result' in sum, sum });
    };
    this.#reducer = new Reducer({ worker, blobs, thread, sizes, little: folder !== undefined, tell });
  }

  /** Asks to take part, and from then on gives signs of life. */
  start(): void {
    this.#tell({ type: 'start' });
    this.#beat = setInterval(() => this.#tell({ type: 'beat' }), 1000 * this.#options.heartbeatSeconds);
  }

  /** The message system has shut its process out: nobody would hear a farewell. */
  shutOut(): void {
    this.#tell({ type: 'shutOut' });
  }

  /** Leaves; what it has delivered counts. */
  leave(reason: string): void {
    this.#tell({ type: 'leave', reason });
  }

  receive(incarnation: number, message: DownMessage): void {
    this.#tell({ type: 'heard', incarnation, message });
  }

  #tell(event: MemberInput<ClusterCargo>): void {
    this.#events.add(event);
  }

  #handle(event: MemberInput<ClusterCargo>): void {
    const { state, effects } = memberTick(this.#state, event);
    this.#state = state;
    const wait = waitOf(state);
    if (wait.what !== this.doing.what) this.doing = { ...wait, since: performance.now() };
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: MemberEffect<ClusterCargo>): void {
    switch (effect.type) {
      case 'send':
        this.#send(effect.incarnation, effect.message);
        break;
      case 'train':
        void this.#guard(this.#train(effect));
        break;
      case 'stopTraining':
        this.#options.thread.cancel();
        break;
      case 'store':
        void this.#guard(this.#store(effect));
        break;
      case 'stopStoring':
        this.#upload.abort();
        break;
      case 'catchUp':
        void this.#guard(this.#catchUp(effect));
        break;
      case 'rollBack':
        void this.#guard(this.#rollBack());
        break;
      case 'reduce':
        void this.#reducer.reduce(effect.request, effect.shards);
        break;
      case 'stopReducing':
        this.#reducer.stop();
        break;
      case 'tell':
        this.#emit(effect.news);
        break;
      case 'end':
        this.#close();
        this.#resolve(effect.ended);
        break;
      case 'fail':
        this.#close();
        this.#reject(this.#errorOf(effect));
    }
  }

  async #train({ round, work, mixAfter }: Effect<'train'>): Promise<void> {
    const { steps, fragment, position, advance, lease } = work;
    let left = mixAfter;
    const result = await this.#options.thread.ask('train', { steps, fragment, position, advance, lease }, () => {
      if (--left === 0) this.#tell({ type: 'mixable', round });
    });
    if (result === null) {
      this.#tell({ type: 'halted', round });
      return;
    }
    this.#trained = { round, result };
    this.#tell({ type: 'trained', round, finite: result.finite });
  }

  async #store({ round, base, incarnation }: Effect<'store'>): Promise<void> {
    const { worker, blobs, layout } = this.#options;
    const { tokens, weight, steps, seconds, finite, norm, loss, gradientNorm, file, parts } = this.#trained!.result;
    this.#trained = undefined;
    this.#upload = new AbortController();
    const { signal } = this.#upload;
    const began = performance.now();
    try {
      const manifest = await putParts(blobs, `${worker}/c/${round}/${incarnation}`, file ?? parts, signal);
      const uploadSeconds = (performance.now() - began) / 1000;
      const contribution = {
        ...({ type: 'contribution', round } as const),
        ...{ tokens, weight, steps, seconds, finite, norm, loss, gradientNorm, uploadSeconds, manifest },
        baseHash: base.hash,
        layoutHash: layout.hash,
        length: layout.length,
        traffic: this.#traffic,
      };
      if (!signal.aborted) this.#tell({ type: 'stored', round, contribution });
    } catch (error) {
      if (signal.aborted) return;
      this.#failure = error;
      this.#tell({ type: 'notStored', round, full: error instanceof QuotaError, reason: messageOf(error) });
    }
  }

  async #catchUp({ chain, held }: Effect<'catchUp'>): Promise<void> {
    const { blobs, thread, vectors, layout, sizes, folder } = this.#options;
    const began = performance.now();
    try {
      const holder = { blobs, thread, vectors, sizes, length: layout.length, folder };
      await catchUp(holder, chain, held, (held, whole) => this.#tell({ type: 'took', held, whole }));
    } catch (error) {
      if (!(error instanceof MeanfieldError)) throw error;
      this.#tell({ type: 'cutOff', reason: error.message });
      return;
    }
    this.#gathered = (performance.now() - began) / 1000;
    this.#tell({ type: 'caughtUp' });
  }

  async #rollBack(): Promise<void> {
    await this.#options.thread.ask('rollback', null);
    this.#tell({ type: 'rolledBack' });
  }

  #emit(news: MemberNews): void {
    const { worker, emit } = this.#options;
    switch (news.type) {
      case 'contributed': {
        const { tokens, loss, seconds } = this.#state.pending!;
        this.rounds++;
        this.tokens += tokens;
        emit({ ...news, worker, tokens, loss, tokensPerSecond: seconds > 0 ? tokens / seconds : 0 });
        break;
      }
      case 'rejoining':
        emit({ type: 'notice', message: `${worker} joins again: ${news.reason}` });
        break;
      case 'suspended':
        emit({ type: 'notice', message: `${worker} may not take part for now: ${news.reason}` });
        break;
      case 'cutOff':
        emit({ type: 'notice', message: `${worker} cannot get round ${news.round} now: ${news.reason}` });
        break;
      case 'notStored': {
        const { round, reason } = news;
        emit({
          type: 'notice',
          message: `The contribution of ${worker} to round ${round} could not be stored: ${reason}`,
        });
        break;
      }
      default:
        emit({ ...news, worker });
    }
  }

  get #traffic(): { sent: number; received: number } {
    const { blobs, siblings } = this.#options;
    const { sent, received } = blobs.traffic;
    return { sent: Math.round(sent / siblings), received: Math.round(received / siblings) };
  }

  #send(incarnation: number, message: MessageOfMember<ClusterCargo>): void {
    const { run, worker, control } = this.#options;
    try {
      const body = { ...this.#bodyOf(message), run, worker, incarnation } as UpMessage;
      control.send({ to: 'up', worker }, encodeMessage(body));
    } catch (error) {
      // A connection that comes back keeps what is sent meanwhile; this one never will.
      this.#fail(
        new MeanfieldError(`${worker} cannot speak to the run any more: ${messageOf(error)}`, { cause: error }),
      );
    }
  }

  #bodyOf(message: MessageOfMember<ClusterCargo>): Body<UpMessage> {
    switch (message.type) {
      case 'join':
        return { ...message, layoutHash: this.#options.layout.hash, stepsPerSecond: null };
      case 'heartbeat':
        return { ...message, traffic: this.#traffic };
      case 'report': {
        const gatherSeconds = this.#gathered;
        this.#gathered = 0;
        return { ...message, gatherSeconds };
      }
      case 'contribution':
        return message.contribution;
      case 'sum': {
        const { sum } = message;
        if ('result' in sum) return { type: 'reduced', ...sum, squares: [...sum.squares] };
        return { type: 'reduce-failed', ...sum };
      }
      case 'leave':
        return message;
    }
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
    this.#failure = error;
    this.#tell({ type: 'failed', reason: messageOf(error) });
  }

  #errorOf({ why, reason }: Effect<'fail'>): unknown {
    const { worker, sizes, vectors, layout } = this.#options;
    if (why === 'broken') return this.#failure;
    if (why === 'refused') return new MeanfieldError(`${worker} was refused: ${reason}.`);
    const quota = workerQuota({ parts: sizes, vectors, length: layout.length });
    return new MeanfieldError(
      `${worker} gives up: ${reason} A worker of this run may have ${(quota / 1e6).toFixed(1)} MB stored at once, ` +
        'which is more than its part takes; start this one anew, and if that recurs, look at the coordinator: it deletes ' +
        'what nobody needs after each of its snapshots.',
      { cause: this.#failure },
    );
  }

  #close(): void {
    clearInterval(this.#beat);
    this.#upload.abort();
    this.#reducer.stop();
    this.#options.thread.cancel();
  }
}
