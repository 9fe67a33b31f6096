import { MeanfieldError, messageOf } from '../../base/errors.js';
import { inParallel } from '../../base/in-parallel.js';
import { BlobDamagedError, BlobMissingError } from '../../transport/errors.js';
import type { BlobRef, BlobStore } from '../../transport/transport.js';
import type { ModelHandle } from '../model-thread/commands.js';
import type { ReduceMessage } from '../protocol/down.js';
import { type ExpectedParts, getPartList } from '../protocol/manifest.js';

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

/** A contribution is not there, or is not what it should be. */
export class ContributionError extends MeanfieldError {
  override name = 'ContributionError';

  constructor(
    readonly worker: string,
    reason: string,
  ) {
    super(reason);
  }
}

type Contributions = ReduceMessage['contributions'];
type Request = Omit<ReduceMessage, 'shards'>;

/** The lists of contributions' parts, each fetched once for all shards. */
export class PartLists {
  readonly #lists = new Map<string, Promise<BlobRef[]>>();

  /** @throws BlobDamagedError when it does not name the parts that it must */
  get(blobs: BlobStore, manifest: BlobRef, expected: ExpectedParts, signal?: AbortSignal): Promise<BlobRef[]> {
    const known = this.#lists.get(manifest.key);
    if (known) return known;
    const list = getPartList(blobs, manifest, expected, signal);
    this.#lists.set(manifest.key, list);
    // Whoever waits for it hears of a failure; the next who wants it tries again.
    list.catch(() => this.#lists.delete(manifest.key));
    return list;
  }
}

/** What a reducer works with. */
export interface Reducing {
  readonly blobs: BlobStore;
  readonly host: Pick<ModelHandle, 'ask'>;
  /** Bytes of each part, by fragment and shard. */
  readonly sizes: readonly (readonly number[])[];
  readonly lists: PartLists;
}

/** A shard of all contributions as one, and Σ x² of each contribution in it. */
export interface ShardSum {
  readonly merged: Uint8Array;
  readonly squares: readonly number[];
}

/**
 * One shard of all contributions, merged: in replica order, by tokens, so that whoever does it gets the same bits.
 *
 * @throws ContributionError when one is missing, damaged, not decodable, or larger than its sender told
 */
export async function reduceShard(
  { blobs, host, lists, sizes }: Reducing,
  { fragment, contributions }: { readonly fragment: number; readonly contributions: Contributions },
  shard: number,
  signal?: AbortSignal,
): Promise<ShardSum> {
  const bytes = sizes[fragment] ?? [];
  const total = contributions.reduce((sum, { tokens }) => sum + tokens, 0);
  const parts = await Promise.all(contributions.map((one) => partOf(blobs, lists, bytes, one, shard, signal)));
  const weights = contributions.map(({ tokens }) => tokens / total);
  const norms = contributions.map(({ norm }) => norm);
  const answer = await host.ask('reduce', { fragment, shard, parts, weights, norms });
  if ('merged' in answer) return answer;
  throw new ContributionError(contributions[answer.damaged]!.worker, answer.reason);
}

/** The part of a shard in one contribution. */
async function partOf(
  blobs: BlobStore,
  lists: PartLists,
  bytes: readonly number[],
  { worker, manifest }: Contributions[number],
  shard: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  try {
    const refs = await lists.get(blobs, manifest, { owner: worker, bytes }, signal);
    const ref = refs[shard];
    if (!ref) throw new BlobDamagedError(`its list has no shard ${shard}`);
    return await blobs.get(ref, undefined, signal);
  } catch (error) {
    const damaged = error instanceof BlobMissingError || error instanceof BlobDamagedError;
    if (!damaged) throw error;
    throw new ContributionError(worker, `shard ${shard} of ${worker} cannot be had: ${messageOf(error)}`);
  }
}

/** Sums shards for one merge at a time; which, and how often each, is for the member's machine to say. */
export class Reducer {
  #merge = '';
  #lists = new PartLists();
  #abort = new AbortController();

  constructor(
    private readonly member: {
      readonly worker: string;
      readonly blobs: BlobStore;
      readonly host: Pick<ModelHandle, 'ask'>;
      readonly sizes: Reducing['sizes'];
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
    await inParallel(shards, async (shard) => {
      if (signal.aborted) return;
      const reduced = await this.#one(message, shard, signal);
      if (!signal.aborted) this.member.tell(reduced);
    });
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
