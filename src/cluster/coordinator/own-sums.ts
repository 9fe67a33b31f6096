import { MeanfieldError, messageOf } from '../../base/errors.js';
import type { BlobRef, BlobStore } from '../../transport/transport.js';
import type { ReduceMessage } from '../protocol/down.js';
import { ContributionError, PartLists, reduceShard, type ShardSum } from '../reduce-shard.js';
import type { Keeper } from './keeper.js';

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

/** What was made of a shard. */
export interface StoredSum {
  readonly ref: BlobRef;
  /** Σ x² of each contribution in it. */
  readonly squares: readonly number[];
}

/** What {@link OwnSums} are made of. */
export interface OwnSumsOptions {
  readonly keeper: Keeper;
  readonly blobs: BlobStore;
  readonly fragment: number;
  readonly contributions: ReduceMessage['contributions'];
  /** Under which they are stored. */
  readonly prefix: string;
  readonly signal: AbortSignal;
}

/** The sums that the coordinator makes itself: where nobody else can, and to see whether others tell the truth. */
export class OwnSums {
  readonly #stored = new Map<number, Promise<StoredSum>>();
  readonly #lists = new PartLists();

  constructor(private readonly options: OwnSumsOptions) {}

  /** Made and stored once. @throws MergeError naming whose contribution cannot be used */
  stored(shard: number): Promise<StoredSum> {
    const { blobs, prefix, signal } = this.options;
    let own = this.#stored.get(shard);
    if (!own) {
      own = this.of(shard).then(async ({ merged, squares }) => {
        const ref = await blobs.put(`${prefix}/${shard}`, merged, signal);
        return { ref, squares };
      });
      this.#stored.set(shard, own);
      // Who waits for it hears of it; the next who wants it tries again.
      own.catch(() => this.#stored.delete(shard));
    }
    return own;
  }

  /** Made and not stored. @throws MergeError naming whose contribution cannot be used */
  async of(shard: number): Promise<ShardSum> {
    const { keeper, blobs, fragment, contributions, signal } = this.options;
    const reducing = { blobs, thread: keeper.thread, sizes: keeper.sizes, lists: this.#lists };
    try {
      return await reduceShard(reducing, { fragment, contributions }, shard, signal);
    } catch (error) {
      throw error instanceof ContributionError ? new MergeError(messageOf(error), [error.worker]) : error;
    }
  }
}
