import { messageOf } from '../../base/errors.js';
import { inParallel } from '../../base/in-parallel.js';
import type { BlobRef, BlobStore } from '../../transport/transport.js';
import type { ModelHandle } from '../model-thread/commands.js';
import { atOnce } from '../parts.js';
import type { ReduceMessage } from '../protocol/down.js';
import { ContributionError, PartLists, type Reducing, reduceShard } from '../reduce-shard.js';

/** What became of a shard. */
export type Reduced =
  | {
      readonly round: number;
      readonly attempt: string;
      readonly shard: number;
      readonly result: BlobRef;
      /** Σ x² of each contribution in this shard. */
      readonly squares: readonly number[];
    }
  | {
      readonly round: number;
      readonly attempt: string;
      readonly shard: number;
      /** Whose contribution could not be used. */
      readonly culprit: string | null;
      readonly reason: string;
    };

type Request = Omit<ReduceMessage, 'shards'>;

/** Sums shards for one merge at a time; which, and how often each, is for the member's machine to say. */
export class Reducer {
  #merge = '';
  #lists = new PartLists();
  #abort = new AbortController();

  constructor(
    private readonly member: {
      readonly worker: string;
      readonly blobs: BlobStore;
      readonly thread: Pick<ModelHandle, 'ask'>;
      readonly sizes: Reducing['sizes'];
      /** Whether few shards are to be in memory at once. */
      readonly little?: boolean;
      readonly tell: (reduced: Reduced) => void;
    },
  ) {}

  /** Never fails: what goes wrong is told. */
  async reduce(message: Request, shards: readonly number[]): Promise<void> {
    const merge = `${message.round}/${message.attempt}`;
    if (merge !== this.#merge || this.#abort.signal.aborted) {
      this.stop();
      this.#merge = merge;
      this.#lists = new PartLists();
      this.#abort = new AbortController();
    }
    const { signal } = this.#abort;
    // Some are fetched and some stored while another is merged.
    const reduce = async (shard: number) => {
      if (signal.aborted) return;
      const reduced = await this.#one(message, shard, signal);
      if (!signal.aborted) this.member.tell(reduced);
    };
    // Of each contribution a part, and their sum.
    const each = (message.contributions.length + 1) * Math.max(0, ...(this.member.sizes[message.fragment] ?? []));
    await inParallel(shards, reduce, this.member.little ? atOnce([each]) : undefined);
  }

  /** The merge is over, or another has taken its place. */
  stop(): void {
    this.#abort.abort();
  }

  async #one(message: Request, shard: number, signal: AbortSignal): Promise<Reduced> {
    const { round, attempt } = message;
    const { worker, blobs } = this.member;
    try {
      const { merged, squares } = await reduceShard({ ...this.member, lists: this.#lists }, message, shard, signal);
      const result = await blobs.put(`${worker}/r/${round}/${attempt}/${shard}`, merged, signal);
      return { round, attempt, shard, result, squares };
    } catch (error) {
      const culprit = error instanceof ContributionError ? error.worker : null;
      return { round, attempt, shard, culprit, reason: messageOf(error) };
    }
  }
}
