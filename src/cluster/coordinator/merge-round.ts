import { mergedNorm } from '../../averaging/merge-norm.js';
import { MeanfieldError } from '../../base/errors.js';
import { sha256 } from '../../base/hash.js';
import type { Merge } from '../../rounds/index.js';
import type { BlobRef, BlobStore } from '../../transport/transport.js';
import type { RunSetup } from '../protocol/configuration.js';
import type { ReduceMessage } from '../protocol/down.js';
import { putList } from '../protocol/manifest.js';
import type { UpMessage } from '../protocol/up.js';
import { ownerOf } from '../protocol/wire.js';
import { Assignment, type Delivery } from './assignment.js';
import { ComingResults } from './coming-results.js';
import type { Keeper } from './keeper.js';
import { OwnSums, type StoredSum } from './own-sums.js';
import { SumChecks } from './sum-checks.js';

type Report = Extract<UpMessage, { type: 'reduced' | 'reduce-failed' }>;

/** What a merge needs. */
export interface MergeOptions {
  readonly merge: Merge;
  readonly fragment: number;
  readonly shards: number;
  /** The lists of the contributions' parts, by worker. */
  readonly manifests: ReadonlyMap<string, BlobRef>;
  readonly keeper: Keeper;
  readonly blobs: BlobStore;
  /** How contributions are merged, and how they travel. */
  readonly exchange: Pick<RunSetup['cluster'], 'merge' | 'format'>;
  /** Whether two reduce each shard and are compared. */
  readonly double: boolean;
  /** Of the contributors, who can reduce now. */
  readonly reducers: () => readonly string[];
  readonly send: (worker: string, message: ReduceMessage) => void;
  /** Milliseconds without any delivery after which a reducer's shards go to others. */
  readonly patience: number;
  /** Milliseconds between two looks at who has died or is late, and between repetitions. */
  readonly every: number;
  /** A shard that the coordinator sums as well, to see whether its reducer tells the truth; null: none. */
  readonly check: number | null;
  /** A reducer's sum is another than the coordinator's: it has no place in the run. */
  readonly distrust: (worker: string, reason: string) => void;
  /** A reducer did not deliver in time, or accused another falsely: it should not be asked for a while. */
  readonly onUseless: (worker: string) => void;
}

/** A round's result: decoded and applied by the coordinator, and where the others find it. */
export interface MergedRound {
  readonly hash: string;
  readonly manifest: BlobRef;
  readonly parts: readonly Uint8Array[];
  /** sha256 of each part. */
  readonly hashes: readonly string[];
  /** When all shards were reduced, by `performance.now()`. */
  readonly reducedAt: number;
}

/** Results of one attempt never mix with those of another, of other contributions. */
export function attemptOf({ contributions }: Pick<Merge, 'contributions'>): string {
  const all = contributions.map(({ worker, incarnation, contentHash, weight }) => [
    worker,
    incarnation,
    contentHash,
    weight,
  ]);
  return sha256(JSON.stringify(all)).slice(0, 12);
}

/** One merge: shards are given to contributors, reduced, gathered and applied to the coordinator's copy. */
export class RoundMerge {
  readonly attempt: string;
  readonly #options: MergeOptions;
  readonly #assignment: Assignment<StoredSum>;
  readonly #own: OwnSums;
  readonly #checks: SumChecks;
  readonly #results: ComingResults;
  readonly #contributions: ReduceMessage['contributions'];
  readonly #weights: readonly number[];
  /** Bytes of each shard's part. */
  readonly #bytes: readonly number[];
  readonly #abort = new AbortController();
  /** What each was asked for last, and when. */
  readonly #asked = new Map<string | null, { readonly shards: readonly number[]; readonly at: number }>();
  #news = false;
  #resume: () => void = () => {};
  #failure: unknown;

  constructor(options: MergeOptions) {
    this.#options = options;
    const { merge, manifests, fragment, shards, keeper, blobs, reducers, double, exchange, distrust } = options;
    this.attempt = attemptOf(merge);
    this.#contributions = merge.contributions.map(({ worker, weight, norm }) => ({
      worker,
      weight,
      norm,
      manifest: manifests.get(worker)!,
    }));
    this.#weights = merge.contributions.map(({ weight }) => weight / merge.totalWeight);
    this.#bytes = keeper.sizes[fragment]!;
    this.#assignment = new Assignment(shards, reducers(), performance.now(), double ? 2 : 1);
    const { signal } = this.#abort;
    const contributions = this.#contributions;
    const prefix = `run/o/${merge.round}/${this.attempt}`;
    this.#own = new OwnSums({ keeper, blobs, fragment, contributions, prefix, signal });
    this.#checks = new SumChecks({
      ...{ shards, assignment: this.#assignment, own: this.#own, contributions, distrust },
      feedback: exchange.format === 'int4',
    });
    this.#results = new ComingResults(blobs, signal);
  }

  /**
   * @throws MergeError that names the contributions that cannot be used, or nobody when it is no one's fault
   */
  async run(): Promise<MergedRound> {
    const { merge, keeper, fragment, blobs, check } = this.#options;
    const { signal } = this.#abort;
    const checked = this.#checks.sumOf(check);
    for (;;) {
      await this.#allReduced();
      const reducedAt = performance.now();
      if (!(await this.#checks.areTrue(await checked))) continue;
      const refs = this.#assignment.results.map(({ ref }) => ref);
      const parts = await this.#results.gather(refs, (shard) => this.#makeAgain(shard));
      if (parts === undefined) continue;
      signal.throwIfAborted();
      try {
        // Before the keeper moves on: whatever fails after that would leave it ahead of the run.
        const manifest = await putList(blobs, `run/r/${merge.round}/${this.attempt}`, refs, signal);
        const applied = await keeper.apply(merge.round, fragment, parts, this.#norms());
        return { ...applied, hashes: refs.map(({ hash }) => hash), manifest, reducedAt };
      } catch (error) {
        if (!(error instanceof MeanfieldError) || this.#checks.settled) throw error;
        // One of the reducers sent what is no result of these; the coordinator trusts its own.
        await this.#checks.settleAll();
      }
    }
  }

  /** The merge is asked for anew, or nobody wants it any more. */
  cancel(): void {
    this.#abort.abort(new MeanfieldError('The merge was given up.'));
    this.#wake();
  }

  /** What a reducer says; nonsense is answered with why it does not count. */
  hear(message: Report): string | null {
    const { merge, shards } = this.#options;
    const { worker, round, attempt, shard } = message;
    if (round !== merge.round || attempt !== this.attempt)
      return `round ${merge.round} is being merged, attempt ${this.attempt}; this is of round ${round}, ${attempt}`;
    if (shard >= shards) return `there are ${shards} shards; this is shard ${shard}`;
    if (!this.#contributions.some((one) => one.worker === worker))
      return `${worker} has not contributed to round ${round}`;
    if (this.#checks.isFalse(worker)) return 'another reduces what was its to reduce: one of its sums was false';
    if (message.type === 'reduced') return this.#onReduced(message);
    if (this.#assignment.owed().get(worker)?.includes(shard)) {
      // Whether it is true is seen by trying.
      if (message.culprit !== null) void this.#tryAccused(worker, shard);
      else this.#assignment.fail(shard, worker, performance.now());
      this.#wake();
    }
    return null;
  }

  #onReduced({ worker, shard, result, squares }: Extract<Report, { type: 'reduced' }>): string | null {
    if (ownerOf(result) !== worker) return `${result.key} is not ${worker}'s to give`;
    if (result.bytes !== this.#bytes[shard])
      return `the sum of shard ${shard} has ${this.#bytes[shard]} bytes; this has ${result.bytes}`;
    if (squares.length !== this.#contributions.length)
      return `there are ${this.#contributions.length} contributions; this has the squares of ${squares.length}`;
    const delivery = this.#delivered(shard, worker, { ref: result, squares });
    this.#wake();
    return delivery === 'foreign' ? `shard ${shard} is not ${worker}'s to reduce` : null;
  }

  /** Sends the shards out until all have come back. */
  async #allReduced(): Promise<void> {
    const { reducers, patience, every, onUseless } = this.#options;
    for (;;) {
      this.#abort.signal.throwIfAborted();
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#assignment.complete) return;
      const now = performance.now();
      const alive = new Set(reducers());
      for (const reducer of this.#assignment.owed().keys())
        if (reducer !== null && !alive.has(reducer)) this.#assignment.lose(reducer, now);
      for (const late of this.#assignment.takeFromLate(now, patience)) onUseless(late);
      for (const [reducer, shards] of this.#assignment.owed())
        if (this.#isDue(reducer, shards, now)) this.#ask(reducer, shards);
      await this.#newsWithin(Math.min(every, this.#assignment.untilLate(now, patience)));
    }
  }

  /** Nobody is asked again just because another has delivered, but for what is new at once. */
  #isDue(reducer: string | null, shards: readonly number[], now: number): boolean {
    const last = this.#asked.get(reducer);
    if (last && now - last.at < this.#options.every && shards.every((shard) => last.shards.includes(shard)))
      return false;
    this.#asked.set(reducer, { shards, at: now });
    return true;
  }

  #newsWithin(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#resume(), milliseconds);
      this.#resume = () => {
        clearTimeout(timer);
        this.#news = false;
        this.#resume = () => {};
        resolve();
      };
      if (this.#news) this.#resume();
    });
  }

  #wake(): void {
    this.#news = true;
    this.#resume();
  }

  #ask(reducer: string | null, shards: readonly number[]): void {
    const { merge, fragment, send } = this.#options;
    if (reducer === null) {
      for (const shard of shards) void this.#reduceHere(shard);
      return;
    }
    send(reducer, {
      type: 'reduce',
      round: merge.round,
      attempt: this.attempt,
      fragment,
      shards: [...shards],
      contributions: [...this.#contributions],
    });
  }

  async #reduceHere(shard: number): Promise<void> {
    try {
      this.#delivered(shard, null, await this.#own.stored(shard));
    } catch (error) {
      this.#failure = error;
    }
    this.#wake();
  }

  /** The accused contribution is out, or the accuser was wrong. */
  async #tryAccused(accuser: string, shard: number): Promise<void> {
    try {
      await this.#checks.settle(shard);
      this.#options.onUseless(accuser);
    } catch (error) {
      this.#failure = error;
    }
    this.#wake();
  }

  /** What each shard of the result can come to, at most. */
  #norms(): number[] {
    const { merge } = this.#options.exchange;
    return this.#assignment.results.map(({ squares }) => mergedNorm(merge, this.#weights, squares));
  }

  #delivered(shard: number, reducer: string | null, sum: StoredSum): Delivery {
    const delivery = this.#assignment.deliver(shard, reducer, sum, performance.now());
    if (delivery === 'counts') void this.#results.fetch(shard, sum.ref);
    return delivery;
  }

  /** Its result is gone or damaged. */
  #makeAgain(shard: number): void {
    for (const { reducer } of [...this.#assignment.at(shard)]) this.#assignment.fail(shard, reducer, performance.now());
  }
}
