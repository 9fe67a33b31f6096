import { MeanfieldError, messageOf } from '../base/errors.js';
import { BlobDamagedError, BlobMissingError } from '../transport/errors.js';
import type { BlobRef, BlobStore } from '../transport/transport.js';
import type { ModelHandle } from './model-thread/commands.js';
import type { ReduceMessage } from './protocol/down.js';
import { type ExpectedParts, getPartList } from './protocol/manifest.js';

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
  readonly thread: Pick<ModelHandle, 'ask'>;
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
 * One shard of all contributions, merged: in replica order, by weight, so that whoever does it gets the same bits.
 *
 * @throws ContributionError when one is missing, damaged, not decodable, or larger than its sender told
 */
export async function reduceShard(
  { blobs, thread, lists, sizes }: Reducing,
  { fragment, contributions }: { readonly fragment: number; readonly contributions: Contributions },
  shard: number,
  signal?: AbortSignal,
): Promise<ShardSum> {
  const bytes = sizes[fragment] ?? [];
  const total = contributions.reduce((sum, { weight }) => sum + weight, 0);
  const parts = await Promise.all(contributions.map((one) => partOf(blobs, lists, bytes, one, shard, signal)));
  const weights = contributions.map(({ weight }) => weight / total);
  const norms = contributions.map(({ norm }) => norm);
  const answer = await thread.ask('reduce', { fragment, shard, parts, weights, norms });
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
