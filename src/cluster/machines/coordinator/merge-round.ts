import { MeanfieldError, messageOf } from '../../../base/errors.js';
import { sha256 } from '../../../base/hash.js';
import { inParallel } from '../../../base/in-parallel.js';
import type { Merge } from '../../../rounds/index.js';
import type { BlobRef, BlobStore } from '../../transport.js';
import { BlobDamagedError, BlobMissingError } from '../../transport-errors.js';
import type { ReduceMessage } from '../protocol/down.js';
import { putList } from '../protocol/manifest.js';
import type { UpMessage } from '../protocol/up.js';
import { ownerOf } from '../protocol/wire.js';
import { ContributionError, PartLists, reduceShard } from '../worker/reducer.js';
import { Assignment } from './assignment.js';
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
  /** Of the contributors, who can reduce now. */
  readonly reducers: () => readonly string[];
  readonly send: (worker: string, message: ReduceMessage) => void;
  /** Milliseconds without any delivery after which a reducer's shards go to others. */
  readonly patience: number;
  /** Milliseconds between two looks at who has died or is late, and between repetitions. */
  readonly every: number;
  /** A shard that the coordinator sums as well, to see whether its reducer tells the truth; null: none. */
  readonly check: number | null;
  /** A reducer's sum is another than the coordinator's: it must not reduce any more. */
  readonly distrust: (worker: string, reason: string) => void;
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

/** One of the shards, or none: a hundredth of them on average, at most one in a round, and nobody can tell which. */
export function shardToCheck(shards: number, random: () => number = Math.random): number | null {
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
  readonly #assignment: Assignment<BlobRef>;
  readonly #contributions: ReduceMessage['contributions'];
  readonly #abort = new AbortController();
  #wake: () => void = () => {};
  #failure: unknown;
  /** Shards that the coordinator is reducing itself. */
  readonly #own = new Set<number>();
  readonly #lists = new PartLists();
  /** Who has told a false sum. */
  readonly #false = new Set<string>();
  #applied = 0;
  /** Results on their way, by shard: they come while others are still being reduced. */
  readonly #coming = new Map<number, { readonly ref: BlobRef; readonly part: Promise<Uint8Array> }>();

  constructor(options: MergeOptions) {
    this.#options = options;
    const { merge, manifests, shards, reducers } = options;
    this.attempt = attemptOf(merge);
    this.#contributions = merge.contributions.map(({ worker, tokens, norm }) => ({
      worker,
      tokens,
      norm,
      manifest: manifests.get(worker)!,
    }));
    this.#assignment = new Assignment(shards, reducers(), performance.now());
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
      if (!this.#isTrue(await checked)) continue;
      const refs = this.#assignment.results;
      const parts = await this.#gather(refs);
      if (parts === undefined) continue;
      signal.throwIfAborted();
      try {
        // Before the keeper moves on: whatever fails after that would leave it ahead of the run.
        const manifest = await putList(blobs, `run/r/${merge.round}/${this.attempt}`, refs, signal);
        const applied = await keeper.apply(merge.round, fragment, parts);
        return { ...applied, hashes: refs.map(({ hash }) => hash), manifest, reducedAt };
      } catch (error) {
        if (!(error instanceof MeanfieldError) || ++this.#applied > 1) throw error;
        // One of the reducers sent what is no result; the coordinator trusts its own.
        for (const shard of refs.keys()) {
          for (const reducer of this.#options.reducers()) this.#assignment.lose(reducer, performance.now());
          this.#assignment.fail(shard, performance.now());
        }
      }
    }
  }

  /** The coordinator's own sum of the shard that is to be checked; undefined where it cannot be had. */
  async #sumToCheck(): Promise<{ shard: number; hash: string } | undefined> {
    const { check, keeper, blobs, fragment } = this.#options;
    if (check === null) return undefined;
    const contributions = this.#contributions;
    try {
      const reducing = { blobs, host: keeper.host, lists: this.#lists };
      const sum = await reduceShard(reducing, { fragment, contributions }, check, this.#abort.signal);
      return { shard: check, hash: sha256(sum) };
    } catch {
      // A contribution that cannot be used: whoever reduces it says so.
      return undefined;
    }
  }

  /** Sums have the same bits wherever they are made. Of a reducer whose sum has others, nothing is used. */
  #isTrue(own: { shard: number; hash: string } | undefined): boolean {
    if (!own) return true;
    const { reducer, result } = this.#assignment.at(own.shard);
    if (reducer === null || result?.hash === own.hash) return true;
    this.#false.add(reducer);
    this.#options.distrust(reducer, `its sum of shard ${own.shard} is not that of the contributions`);
    this.#assignment.takeFrom(reducer, performance.now());
    return false;
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
    if (message.type === 'reduced') {
      if (ownerOf(message.result) !== worker) return `${message.result.key} is not ${worker}'s to give`;
      this.#delivered(shard, worker, message.result);
      this.#wake();
      return null;
    }
    if (this.#assignment.owed().get(worker)?.includes(shard)) {
      // Whether it is true is seen by trying.
      if (message.culprit !== null) this.#reduceHere(shard);
      else this.#assignment.fail(shard, performance.now());
      this.#wake();
    }
    return null;
  }

  /** Sends the shards out until all have come back. */
  async #allReduced(): Promise<void> {
    const { reducers, patience, every } = this.#options;
    for (;;) {
      this.#abort.signal.throwIfAborted();
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#assignment.complete) return;
      const now = performance.now();
      const alive = new Set(reducers());
      for (const reducer of this.#assignment.owed().keys())
        if (reducer !== null && !alive.has(reducer)) this.#assignment.lose(reducer, now);
      this.#assignment.takeFromLate(now, patience);
      for (const [reducer, shards] of this.#assignment.owed()) this.#ask(reducer, shards);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, every);
        this.#wake = () => {
          // Nobody is asked again just because another has delivered.
          if (!this.#assignment.complete && this.#failure === undefined && !this.#abort.signal.aborted) return;
          clearTimeout(timer);
          resolve();
        };
        this.#wake();
      });
    }
  }

  #ask(reducer: string | null, shards: readonly number[]): void {
    const { merge, fragment, send } = this.#options;
    if (reducer === null) {
      for (const shard of shards) this.#reduceHere(shard);
      return;
    }
    const contributions = [...this.#contributions];
    send(reducer, {
      type: 'reduce',
      round: merge.round,
      attempt: this.attempt,
      fragment,
      shards: [...shards],
      contributions,
    });
  }

  #reduceHere(shard: number): void {
    if (this.#own.has(shard)) return;
    this.#own.add(shard);
    const { merge, keeper, blobs, fragment } = this.#options;
    const { signal } = this.#abort;
    const work = async () => {
      const request = { fragment, contributions: this.#contributions };
      const merged = await reduceShard({ blobs, host: keeper.host, lists: this.#lists }, request, shard, signal);
      const ref = await blobs.put(`run/o/${merge.round}/${this.attempt}/${shard}`, merged, signal);
      this.#delivered(shard, null, ref);
    };
    work()
      .catch((error: unknown) => {
        this.#failure = error instanceof ContributionError ? new MergeError(messageOf(error), [error.worker]) : error;
      })
      .finally(() => {
        this.#own.delete(shard);
        this.#wake();
      });
  }

  #delivered(shard: number, reducer: string | null, result: BlobRef): void {
    if (this.#assignment.deliver(shard, reducer, result, performance.now())) void this.#fetch(shard, result);
  }

  /** A result, which may be on its way already. */
  #fetch(shard: number, ref: BlobRef): Promise<Uint8Array> {
    const known = this.#coming.get(shard);
    if (known?.ref.key === ref.key && known.ref.hash === ref.hash) return known.part;
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
        this.#assignment.fail(shard, performance.now());
        lost = true;
        return new Uint8Array(0);
      }
    });
    if (lost) return undefined;
    this.#coming.clear();
    return parts;
  }
}
