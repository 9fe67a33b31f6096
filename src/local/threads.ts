import { joinHashes } from '../averaging/shards.js';
import { MeanfieldError } from '../base/errors.js';
import {
  createRounds,
  type Effect,
  type Merge,
  type RoundsEvent,
  type RoundsState,
  type StartRound,
  threadOptions,
  tick,
} from '../rounds/index.js';
import { lossOfSteps } from './mean-step.js';
import type { ReplicaExchange, ReplicaTrained, StepDone } from './messages.js';
import type { ReplicaHandle } from './replica-thread.js';

/** What rounds between threads start from. */
export interface ThreadRoundsOptions {
  readonly run: string;
  /** In the order of sums; each has loaded the committed parameters. */
  readonly replicas: readonly ReplicaHandle[];
  /** The hash of the parameters that each answered. */
  readonly hashes: readonly string[];
  readonly layout: { readonly hash: string; readonly length: number };
  readonly committed: { readonly round: number; readonly hash: string };
  readonly exchange: ReplicaExchange;
  /** As the replicas have it. */
  readonly sharded?: boolean | undefined;
  /** H. */
  readonly stepsPerRound: number;
}

/** A step that all replicas have done. */
export interface JointStep {
  /** Counted from 0. */
  readonly step: number;
  /** The mean over the targets of all replicas, in nats per token. */
  readonly loss: number;
  /** Before clipping; the mean over replicas where each has its own. */
  readonly gradientNorm: number;
}

/** A loss, a gradient or parameters that are not finite. */
export class DivergedError extends MeanfieldError {
  override name = 'DivergedError';

  /** @param what is not finite, in which step, on which replica */
  constructor(what: string) {
    super(`Training has diverged: ${what}.`);
  }
}

const NAME = /^replica-(\d+)$/;
const nameOf = (replica: number) => `replica-${replica + 1}`;

/**
 * Drives the machine of `rounds/` by threads of one process: it tells the machine what the replicas did and carries out
 * what the machine decides. All are waited for and nothing depends on time, so curves are bit for bit the same.
 *
 * Messages between threads are neither lost nor repeated, so there are no heartbeats; a thread that ends, ends the run.
 */
export class ThreadRounds {
  #state: RoundsState;
  readonly #options: ThreadRoundsOptions;
  readonly #hashes: string[];
  /** What the machine is still to be told, in this order. */
  readonly #events: RoundsEvent[] = [];
  /** Reports that it waits for: the next round opens when it has them all. */
  readonly #owing: { readonly replica: number; readonly round: number; readonly closed: number }[] = [];
  #contributions: (ReplicaTrained | undefined)[] = [];
  #step = 0;
  #rates: readonly number[] | undefined;
  /** By step of the round, then by replica. */
  #done: StepDone[][] = [];
  #onStep: (step: JointStep) => void = () => {};

  constructor(options: ThreadRoundsOptions) {
    const { run, replicas, hashes, layout, committed, stepsPerRound: steps } = options;
    this.#options = options;
    this.#hashes = [...hashes];
    this.#state = createRounds({
      run,
      layout,
      committed,
      options: threadOptions(replicas.length, steps),
      now: 0,
    });
    for (const [i] of replicas.entries()) {
      const join = { type: 'join', ...this.#sender(i), layoutHash: layout.hash, stepsPerSecond: null } as const;
      for (const effect of this.#tick(join)) {
        if (effect.type === 'welcome') this.#owe(effect);
        else if (effect.type !== 'waiting') throw new Error(`expected welcome alone, got ${effect.type}`);
      }
    }
  }

  /** The last committed round. */
  get round(): number {
    return this.#state.committed.round;
  }

  /**
   * One round, up to its commit by all replicas.
   *
   * @param step inner steps done so far
   * @param steps of this round
   * @param onStep hears of each step when all replicas have done it
   * @param rates the learning rate of each step, where it is not that of the schedule
   * @throws DivergedError, or what a replica failed with; the other replicas have stopped then
   */
  async runRound(
    step: number,
    steps: number,
    onStep: (step: JointStep) => void = () => {},
    rates?: readonly number[],
  ): Promise<void> {
    this.#step = step;
    this.#rates = rates;
    this.#onStep = onStep;
    this.#done = Array.from({ length: steps }, () => []);
    const before = this.round;
    if (steps !== this.#state.steps) this.#events.push({ type: 'steps', steps });
    await this.#report();
    if (this.round === before) throw new Error(`the round was not committed; the run is ${this.#state.phase}`);
  }

  /** Tells the machine that the run is over. */
  async stop(): Promise<void> {
    this.#events.push({ type: 'stop' });
    await this.#report();
  }

  /** Hands in what hashes the machine waits for, and goes on until there is nothing left to tell it. */
  async #report(): Promise<void> {
    for (const { replica, round, closed } of this.#owing.splice(0))
      this.#events.push({ type: 'report', ...this.#sender(replica), round, closed, hash: this.#hashes[replica]! });
    for (let event = this.#events.shift(); event; event = this.#events.shift()) {
      // It ends at once where no round of its own has been trained.
      if (event.type === 'report' && this.#state.phase === 'stopped') continue;
      for (const effect of this.#tick(event)) await this.#carryOut(effect);
    }
  }

  #sender(replica: number) {
    return { run: this.#options.run, worker: nameOf(replica), incarnation: 1 } as const;
  }

  #tick(event: RoundsEvent): readonly Effect[] {
    const { state, effects } = tick(this.#state, event, 0);
    this.#state = state;
    return effects;
  }

  /** Notes whose reports the machine wants. */
  #owe({ to, committed, closed }: Extract<Effect, { type: 'welcome' | 'commit' }>): void {
    for (const { worker } of to) this.#owing.push({ replica: indexOf(worker), round: committed.round, closed });
  }

  async #carryOut(effect: Effect): Promise<void> {
    switch (effect.type) {
      case 'welcome':
      case 'commit':
        this.#owe(effect);
        break;
      case 'startRound':
        await this.#train(effect);
        break;
      case 'merge':
        await this.#merge(effect);
        break;
      case 'heal':
        for (const { worker } of effect.to) await this.#heal(indexOf(worker), effect.committed.round, effect.closed);
        break;
      case 'refuse':
        if (effect.code === 'not-finite') {
          const step = this.#step + this.#done.length;
          throw new DivergedError(`by step ${step} the parameters of ${effect.to[0]!.worker} are not finite`);
        }
        throw new Error(`round ${this.#state.round}: a replica's ${effect.about} was refused: ${effect.reason}`);
      case 'evict':
      case 'abort':
        throw new MeanfieldError(`Round ${this.#state.round} cannot go on: ${effect.reason}.`);
    }
  }

  async #train({ round, base, members }: StartRound): Promise<void> {
    const { replicas } = this.#options;
    this.#contributions = replicas.map(() => undefined);
    const work = members.map(async ({ worker, steps }) => {
      const replica = indexOf(worker);
      const onStep = (done: StepDone) => this.#collect(replica, done);
      const trained = await replicas[replica]!.ask(
        'train',
        { step: this.#step, steps, ...(this.#rates && { rates: this.#rates }) },
        onStep,
      );
      if (trained.fault) throw diverged(replica, trained.fault);
      this.#contributions[replica] = trained;
      const { tokens, weight, seconds, finite, norm } = trained;
      return {
        ...({ type: 'contribution', ...this.#sender(replica) } as const),
        round,
        tokens,
        weight,
        steps: trained.steps,
        seconds,
        baseHash: base.hash,
        layoutHash: this.#options.layout.hash,
        length: this.#options.layout.length,
        finite,
        norm,
        // Kept in this process under the replica's number, and only until the merge.
        contentHash: `${worker}/${round}`,
      };
    });
    this.#events.push(...(await allOrCancel(work, replicas)));
  }

  async #merge({ round, contributions, totalWeight: total }: Merge): Promise<void> {
    const { replicas, exchange, sharded } = this.#options;
    const rate = this.#rates && { rate: this.#rates[0]! };
    const weights = contributions.map(({ weight }) => weight / total);
    // parts[i][j]: replica i's values of shard j.
    let parts = this.#contributions.map((trained) => trained!.parts);
    let merged: string | undefined;
    // A gradient is clipped by the norm of all of it.
    let squares = 0;
    if (exchange !== 'nothing') {
      const shards = await allOrCancel(
        replicas.map((replica, j) => replica.ask('merge', { weights, total, parts: parts.map((of) => of[j]) })),
        replicas,
      );
      squares = shards.reduce((sum, shard) => sum + (shard.squares ?? 0), 0);
      const ask = (replica: ReplicaHandle) => replica.ask('update', { step: this.#step, squares, ...rate });
      const results = sharded ? await allOrCancel(replicas.map(ask), replicas) : shards;
      parts = replicas.map((_, i) => results.map((shard) => shard.parts[i]));
      if (exchange === 'parameters') merged = joinHashes(shards.map(({ hash }) => hash));
    }
    const taken = await allOrCancel(
      replicas.map((replica, i) => replica.ask('take', { step: this.#step, parts: parts[i]!, squares, ...rate })),
      replicas,
    );
    const { gradientNorm } = taken[0]!;
    const loss = lossOfSteps(this.#done[0]!);
    if (!Number.isFinite(gradientNorm)) {
      throw diverged(0, { step: this.#step, loss, gradientNorm });
    }
    for (const [i, { hash }] of taken.entries()) this.#hashes[i] = hash;
    if (exchange === 'gradients') this.#onStep({ step: this.#step, loss, gradientNorm });
    // With gradients every replica makes the same step itself, or has the others' shards of it; the first one's parameters are
    // the truth.
    this.#events.push({ type: 'merged', round, hash: merged ?? taken[0]!.hash });
  }

  /** Gives a replica the committed parameters again, from one that holds them. */
  async #heal(replica: number, round: number, closed: number): Promise<void> {
    const { replicas } = this.#options;
    const source = this.#hashes.indexOf(this.#state.committed.hash);
    if (source < 0) throw new MeanfieldError(`No replica holds the parameters of round ${round}.`);
    const request = { parameters: true, moments: false, outerMomentum: false };
    const { parameters } = await replicas[source]!.ask('snapshot', request);
    const hash = await replicas[replica]!.ask('load', { parameters: parameters! });
    this.#hashes[replica] = hash;
    this.#events.push({ type: 'report', ...this.#sender(replica), round, closed, hash });
  }

  /** Tells of a step once the last replica has done it. */
  #collect(replica: number, done: StepDone): void {
    const all = this.#done[done.step - this.#step]!;
    all[replica] = done;
    if (this.#options.exchange === 'gradients' || Object.keys(all).length < this.#options.replicas.length) return;
    const gradientNorm = mean(all.map((one) => one.gradientNorm));
    this.#onStep({ step: done.step, loss: lossOfSteps(all), gradientNorm });
  }
}

/** The replica's number out of its name in the machine. */
function indexOf(worker: string): number {
  return Number(NAME.exec(worker)![1]) - 1;
}

function diverged(replica: number, { step, loss, gradientNorm }: Omit<StepDone, 'weight'>): DivergedError {
  const what = Number.isFinite(loss) ? `gradient's norm is ${gradientNorm}` : `loss is ${loss}`;
  return new DivergedError(`in step ${step + 1} the ${what} on ${nameOf(replica)}`);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** All results; after a failure the replicas stop, and it is thrown when they have. */
async function allOrCancel<T>(work: readonly Promise<T>[], replicas: readonly ReplicaHandle[]): Promise<T[]> {
  try {
    return await Promise.all(work);
  } catch (error) {
    for (const replica of replicas) replica.cancel();
    await Promise.allSettled(work);
    throw error;
  }
}
