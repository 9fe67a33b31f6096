import { inParallel } from '../../base/in-parallel.js';
import { BlobDamagedError, BlobMissingError } from '../../transport/errors.js';
import type { BlobRef, BlobStore } from '../../transport/transport.js';

/** A merge's results on their way, by shard: they come while others are still being reduced. */
export class ComingResults {
  readonly #coming = new Map<number, { readonly ref: BlobRef; readonly part: Promise<Uint8Array> }>();

  constructor(
    private readonly blobs: BlobStore,
    private readonly signal: AbortSignal,
  ) {}

  /** A result, which may be on its way already; of two with the same bits one. */
  fetch(shard: number, ref: BlobRef): Promise<Uint8Array> {
    const known = this.#coming.get(shard);
    if (known?.ref.hash === ref.hash) return known.part;
    const part = this.blobs.get(ref, undefined, this.signal);
    // A failure is seen where it is waited for.
    part.catch(() => {});
    this.#coming.set(shard, { ref, part });
    return part;
  }

  /**
   * All results, or undefined when one has to be made again. They are the caller's, who may move them away.
   *
   * @param onLost a shard's result is gone or damaged
   */
  async gather(refs: readonly BlobRef[], onLost: (shard: number) => void): Promise<Uint8Array[] | undefined> {
    let lost = false;
    const parts = await inParallel(refs, async (ref, shard) => {
      try {
        return await this.fetch(shard, ref);
      } catch (error) {
        if (!(error instanceof BlobMissingError || error instanceof BlobDamagedError)) throw error;
        this.#coming.delete(shard);
        onLost(shard);
        lost = true;
        return new Uint8Array(0);
      }
    });
    if (lost) return undefined;
    this.#coming.clear();
    return parts;
  }
}
