import type { BlobStore } from '../../transport/transport.js';
import { catchUp, type Held } from '../catch-up.js';
import type { Applied, ModelHandle, ModelSetup } from '../model-thread/commands.js';
import type { Chain } from '../protocol/down.js';

/** The coordinator's own copy of the committed vectors: the truth that is saved. It trains nothing. */
export class Keeper {
  #held: Held = { round: -1, hash: '' };
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly thread: ModelHandle,
    /** Committed vectors, and elements of each. */
    readonly vectors: number,
    readonly length: number,
    /** Bytes of each part of a contribution or a result, by fragment and shard. */
    readonly sizes: readonly (readonly number[])[],
  ) {}

  static async start(
    thread: ModelHandle,
    setup: ModelSetup,
    vectors: number,
    length: number,
    sizes: Keeper['sizes'],
  ): Promise<Keeper> {
    await thread.ask('init', setup);
    return new Keeper(thread, vectors, length, sizes);
  }

  get held(): Held {
    return this.#held;
  }

  /** Runs work during which the vectors stay as they are; one after another. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  /** @param vectors moved away */
  load(round: number, vectors: readonly Float32Array[]): Promise<Held> {
    return this.exclusive(async () => {
      this.#held = { round, hash: await this.thread.ask('load', vectors) };
      return this.#held;
    });
  }

  /**
   * The outer step with a round's result.
   *
   * @param parts moved away; the answer has them
   * @param norms that the contributions allow, by shard; none: they were checked before
   * @throws MeanfieldError when a part cannot be decoded, or is larger than is allowed; nothing has changed then
   */
  apply(round: number, fragment: number, parts: readonly Uint8Array[], norms?: readonly number[]): Promise<Applied> {
    return this.exclusive(async () => {
      const applied = await this.thread.ask('apply', { fragment, parts, ...(norms && { norms }) });
      this.#held = { round, hash: applied.hash };
      return applied;
    });
  }

  /** Comes to the end of a chain as any other machine does. */
  catchUp(blobs: BlobStore, chain: Chain): Promise<Held> {
    return this.exclusive(async () => {
      const { thread, vectors, length, sizes } = this;
      const held = this.#held.round < 0 ? null : this.#held;
      this.#held = await catchUp({ blobs, thread, vectors, length, sizes }, chain, held);
      return this.#held;
    });
  }

  async close(): Promise<void> {
    await this.thread.close();
  }
}
