import { randomInt } from 'node:crypto';
import { exceedsNorm, mergedNorm } from '../../averaging/merge-norm.js';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { sha256 } from '../../base/hash.js';
import { inParallel } from '../../base/in-parallel.js';
import type { Merge } from '../../rounds/index.js';
import { BlobDamagedError, BlobMissingError } from '../../transport/errors.js';
import type { BlobRef, BlobStore } from '../../transport/transport.js';
import type { RunSetup } from '../protocol/configuration.js';
import type { ReduceMessage } from '../protocol/down.js';
import { putList } from '../protocol/manifest.js';
import type { UpMessage } from '../protocol/up.js';
import { ownerOf } from '../protocol/wire.js';
import { ContributionError, PartLists, reduceShard, type ShardSum } from '../reduce-shard.js';
import { Assignment, type Delivery } from './assignment.js';
import type { Keeper } from './keeper.js';

/** Share of the shards that the coordinator sums itself: what a check costs in bytes and time. */
const CHECKED = 0.01;

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

/** What a reducer made of a shard. */
interface Sum {
  readonly ref: BlobRef;
  /** Σ x² of each contribution in it. */
  readonly squares: readonly number[];
}

/** By how much sums of squares differ between machines, at most: their order is the machine's own. */
const SQUARES_DIFFER = 1e-3;

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

/** A merge is not possible with these contributions. */
export class MergeError extends MeanfieldError {
  override name = 'MergeError';

  constructor(
    reason: string,
    readonly workers: readonly string[],
  ) {
    super(reason);
  }
}

/** From 0 up to, not including, 1; nobody can foretell it from those before. */
export function unforeseeable(): number {
  return randomInt(2 ** 47) / 2 ** 47;
}

/** One of the shards, or none: a hundredth of them on average, at most one in a round, and nobody can tell which. */
export function shardToCheck(shards: number, random: () => number = unforeseeable): number | null {
  return random() < CHECKED * shards ? Math.floor(random() * shards) : null;
}

/** Results of one attempt never mix with those of another, of other contributions. */
export function attemptOf({ contributions }: Pick<Merge, 'contributions'>): string {
  const all = contributions.map(({ worker, incarnation, contentHash, tokens }) => [
    worker,
    incarnation,
    contentHash,
    tokens,
  ]);
  return sha256(JSON.stringify(all)).slice(0, 12);
}

/** One merge: shards are given to contributors, reduced, gathered and applied to the coordinator's copy. */
export class RoundMerge {
  readonly attempt: string;
  readonly #options: MergeOptions;
  readonly #assignment: Assignment<Sum>;
  readonly #contributions: ReduceMessage['contributions'];
  readonly #weights: readonly number[];
  /** Bytes of each shard's part. */
  readonly #bytes: readonly number[];
  readonly #abort = new AbortController();
  readonly #lists = new PartLists();
  /** The coordinator's own sums, stored. */
  readonly #own = new Map<number, Promise<Sum>>();
  /** Who has told a false sum. */
  readonly #false = new Set<string>();
  /** Results on their way, by shard: they come while others are still being reduced. */
  readonly #coming = new Map<number, { readonly ref: BlobRef; readonly part: Promise<Uint8Array> }>();
  /** What each was asked for last, and when. */
  readonly #asked = new Map<string | null, { readonly shards: readonly number[]; readonly at: number }>();
  #news = false;
  #resume: () => void = () => {};
  #failure: unknown;
  #settled = false;

  constructor(options: MergeOptions) {
    this.#options = options;
    const { merge, manifests, fragment, shards, keeper, reducers, double } = options;
    this.attempt = attemptOf(merge);
    this.#contributions = merge.contributions.map(({ worker, tokens, norm }) => ({
      worker,
      tokens,
      norm,
      manifest: manifests.get(worker)!,
    }));
    this.#weights = merge.contributions.map(({ tokens }) => tokens / merge.totalTokens);
    this.#bytes = keeper.sizes[fragment]!;
    this.#assignment = new Assignment(shards, reducers(), performance.now(), double ? 2 : 1);
  }

  /**
   * @throws MergeError that names the contributions that cannot be used, or nobody when it is no one's fault
   */
  async run(): Promise<MergedRound> {
    const { merge, keeper, fragment, blobs } = this.#options;
    const { signal } = this.#abort;
    const checked = this.#sumToCheck();
    for (;;) {
      await this.#allReduced();
      const reducedAt = performance.now();
      if (!(await this.#areTrue(await checked))) continue;
      const refs = this.#assignment.results.map(({ ref }) => ref);
      const parts = await this.#gather(refs);
      if (parts === undefined) continue;
      signal.throwIfAborted();
      try {
        // Before the keeper moves on: whatever fails after that would leave it ahead of the run.
        const manifest = await putList(blobs, `run/r/${merge.round}/${this.attempt}`, refs, signal);
        const applied = await keeper.apply(merge.round, fragment, parts, this.#norms());
        return { ...applied, hashes: refs.map(({ hash }) => hash), manifest, reducedAt };
      } catch (error) {
        if (!(error instanceof MeanfieldError) || this.#settled) throw error;
        // One of the reducers sent what is no result of these; the coordinator trusts its own.
        await this.#settleAll();
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
    if (this.#false.has(worker)) return 'another reduces what was its to reduce: one of its sums was false';
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
      this.#delivered(shard, null, await this.#ownSum(shard));
    } catch (error) {
      this.#failure = error;
    }
    this.#wake();
  }

  /** The accused contribution is out, or the accuser was wrong. */
  async #tryAccused(accuser: string, shard: number): Promise<void> {
    try {
      await this.#settle(shard);
      this.#options.onUseless(accuser);
    } catch (error) {
      this.#failure = error;
    }
    this.#wake();
  }

  /** The coordinator's own sum, stored: made once. @throws MergeError naming whose contribution cannot be used */
  #ownSum(shard: number): Promise<Sum> {
    const { merge, blobs } = this.#options;
    let own = this.#own.get(shard);
    if (!own) {
      own = this.#sum(shard).then(async ({ merged, squares }) => {
        const ref = await blobs.put(`run/o/${merge.round}/${this.attempt}/${shard}`, merged, this.#abort.signal);
        return { ref, squares };
      });
      this.#own.set(shard, own);
      // Who waits for it hears of it; the next who wants it tries again.
      own.catch(() => this.#own.delete(shard));
    }
    return own;
  }

  async #sum(shard: number): Promise<ShardSum> {
    const { keeper, blobs, fragment } = this.#options;
    const reducing = { blobs, thread: keeper.thread, sizes: keeper.sizes, lists: this.#lists };
    try {
      const request = { fragment, contributions: this.#contributions };
      return await reduceShard(reducing, request, shard, this.#abort.signal);
    } catch (error) {
      throw error instanceof ContributionError ? new MergeError(messageOf(error), [error.worker]) : error;
    }
  }

  /** The coordinator's own sum of the shard that is to be checked; undefined where it cannot be had. */
  async #sumToCheck(): Promise<{ shard: number; hash: string; squares: readonly number[] } | undefined> {
    const { check } = this.#options;
    if (check === null) return undefined;
    try {
      const { merged, squares } = await this.#sum(check);
      return { shard: check, hash: sha256(merged), squares };
    } catch {
      // A contribution that cannot be used: whoever reduces it says so.
      return undefined;
    }
  }

  /**
   * Sums have the same bits wherever they are made: of a reducer whose sum has others, nothing is used. What two do not
   * agree on, and contributions that come to more than was told, the coordinator looks at itself.
   */
  async #areTrue(checked: { shard: number; hash: string; squares: readonly number[] } | undefined): Promise<boolean> {
    if (checked && !this.#unmask(checked.shard, checked.hash, checked.squares)) return false;
    const disputed = Array.from(this.#bytes.keys()).filter((shard) => {
      const [first, ...others] = this.#assignment.at(shard).map(({ result }) => result!);
      return others.some(({ ref, squares }) => ref.hash !== first!.ref.hash || differ(squares, first!.squares));
    });
    for (const shard of disputed) await this.#settle(shard);
    if (this.#isExcessive() === null) return this.#assignment.complete;
    if (!this.#settled) await this.#settleAll();
    const worker = this.#isExcessive();
    if (worker !== null)
      throw new MergeError('the squares of its shards add up to more than the norm that it told', [worker]);
    return true;
  }

  /** Puts the coordinator's own sum in the place of the reducers', and finds out whose was another. */
  async #settle(shard: number): Promise<void> {
    const own = await this.#ownSum(shard);
    this.#unmask(shard, own.ref.hash, own.squares);
    this.#assignment.settle(shard, own);
  }

  async #settleAll(): Promise<void> {
    this.#settled = true;
    for (const shard of this.#bytes.keys()) await this.#settle(shard);
  }

  #unmask(shard: number, hash: string, squares: readonly number[]): boolean {
    let sound = true;
    for (const { reducer, result } of [...this.#assignment.at(shard)]) {
      if (reducer === null || !result || (result.ref.hash === hash && !differ(result.squares, squares))) continue;
      sound = false;
      this.#false.add(reducer);
      this.#options.distrust(reducer, `its sum of shard ${shard} is not that of the contributions`);
      this.#assignment.takeFrom(reducer, performance.now());
    }
    return sound;
  }

  /** Whose squares add up to more than the norm by which outliers were looked for. */
  #isExcessive(): string | null {
    if (!this.#assignment.complete) return null;
    const { results } = this.#assignment;
    for (const [i, { worker, norm }] of this.#contributions.entries()) {
      const squares = results.reduce((sum, one) => sum + one.squares[i]!, 0);
      if (exceedsNorm(norm, squares, this.#options.exchange.format === 'int4')) return worker;
    }
    return null;
  }

  /** What each shard of the result can come to, at most. */
  #norms(): number[] {
    const { merge } = this.#options.exchange;
    return this.#assignment.results.map(({ squares }) => mergedNorm(merge, this.#weights, squares));
  }

  #delivered(shard: number, reducer: string | null, sum: Sum): Delivery {
    const delivery = this.#assignment.deliver(shard, reducer, sum, performance.now());
    if (delivery === 'counts') void this.#fetch(shard, sum.ref);
    return delivery;
  }

  /** A result, which may be on its way already; of two with the same bits one. */
  #fetch(shard: number, ref: BlobRef): Promise<Uint8Array> {
    const known = this.#coming.get(shard);
    if (known?.ref.hash === ref.hash) return known.part;
    const part = this.#options.blobs.get(ref, undefined, this.#abort.signal);
    // A failure is seen where it is waited for.
    part.catch(() => {});
    this.#coming.set(shard, { ref, part });
    return part;
  }

  /** All results, or undefined when one has to be made again. They are the caller's, who may move them away. */
  async #gather(refs: readonly BlobRef[]): Promise<Uint8Array[] | undefined> {
    let lost = false;
    const parts = await inParallel(refs, async (ref, shard) => {
      try {
        return await this.#fetch(shard, ref);
      } catch (error) {
        if (!(error instanceof BlobMissingError || error instanceof BlobDamagedError)) throw error;
        this.#coming.delete(shard);
        for (const { reducer } of [...this.#assignment.at(shard)])
          this.#assignment.fail(shard, reducer, performance.now());
        lost = true;
        return new Uint8Array(0);
      }
    });
    if (lost) return undefined;
    this.#coming.clear();
    return parts;
  }
}

function differ(a: readonly number[], b: readonly number[]): boolean {
  return a.some((value, i) => Math.abs(value - b[i]!) > SQUARES_DIFFER * Math.max(value, b[i]!) + 1e-30);
}
