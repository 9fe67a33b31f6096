import type { BlobRef, BlobStore } from '../../transport/transport.js';

export interface BlobCacheOptions {
  /** Replicas that share it. */
  readonly members: number;
  /** Bytes that are kept, least recently used first out; a blob larger than a quarter of it is not. */
  readonly mostBytes: number;
}

/**
 * Blobs that this process has put or got lately, by hash: a reducer need not fetch its own contribution or its own
 * result, nor replicas of one machine the same result each. What is under way already is waited for.
 *
 * One replica alone wants each blob once: what it has put is kept until it is got, and what comes from outside not at
 * all, so that nothing need be copied.
 */
export class BlobCache implements BlobStore {
  readonly #kept = new Map<string, Uint8Array>();
  readonly #underWay = new Map<string, Promise<Uint8Array>>();
  readonly #shared: boolean;
  readonly #mostBytes: number;
  #bytes = 0;

  constructor(
    private readonly store: BlobStore,
    { members, mostBytes }: BlobCacheOptions,
  ) {
    this.#shared = members > 1;
    this.#mostBytes = mostBytes;
  }

  get traffic(): BlobStore['traffic'] {
    return this.store.traffic;
  }

  /** @param content must stay as it is */
  async put(key: string, content: Uint8Array, signal?: AbortSignal): Promise<BlobRef> {
    const ref = await this.store.put(key, content, signal);
    this.#keep(ref.hash, content);
    return ref;
  }

  /** The caller's own, which it may move away. */
  async get(ref: BlobRef, into?: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    const kept = this.#kept.get(ref.hash);
    if (!this.#shared && !kept) return this.store.get(ref, into, signal);
    const content = kept ?? (await this.#fetch(ref, signal));
    if (this.#shared) this.#keep(ref.hash, content);
    else this.#forget(ref.hash);
    if (!into) return this.#shared ? content.slice() : content;
    into.set(content);
    return into;
  }

  delete(prefix: string): Promise<void> {
    return this.store.delete(prefix);
  }

  /** One of those who want it fetches; when it gives up, the next does. */
  async #fetch(ref: BlobRef, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const other = this.#underWay.get(ref.hash);
    if (other) {
      try {
        return await other;
      } catch {
        signal?.throwIfAborted();
        return this.#fetch(ref, signal);
      }
    }
    const fetching = this.store.get(ref, undefined, signal);
    this.#underWay.set(ref.hash, fetching);
    try {
      return await fetching;
    } finally {
      this.#underWay.delete(ref.hash);
    }
  }

  /** As the most recently used. */
  #keep(hash: string, content: Uint8Array): void {
    if (content.length > this.#mostBytes / 4) return;
    this.#forget(hash);
    this.#bytes += content.length;
    this.#kept.set(hash, content);
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#mostBytes) return;
      this.#forget(oldest);
    }
  }

  #forget(hash: string): void {
    this.#bytes -= this.#kept.get(hash)?.length ?? 0;
    this.#kept.delete(hash);
  }
}
