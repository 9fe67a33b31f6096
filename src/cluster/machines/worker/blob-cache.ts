import type { BlobRef, BlobStore } from '../../transport.js';

/** Bytes that are kept at most, least recently used first out; a blob larger than a quarter of it is not kept. */
const MOST_BYTES = 256 * 2 ** 20;

/**
 * Blobs that this process has put or got lately, by hash: a reducer need not fetch its own contribution, nor replicas
 * of one machine the same result each. What is under way already is waited for.
 */
export class BlobCache implements BlobStore {
  readonly #kept = new Map<string, Uint8Array>();
  readonly #underWay = new Map<string, Promise<Uint8Array>>();
  #bytes = 0;

  constructor(
    private readonly store: BlobStore,
    private readonly mostBytes = MOST_BYTES,
  ) {}

  get traffic(): BlobStore['traffic'] {
    return this.store.traffic;
  }

  async put(key: string, content: Uint8Array, signal?: AbortSignal): Promise<BlobRef> {
    const ref = await this.store.put(key, content, signal);
    this.#keep(ref.hash, content);
    return ref;
  }

  /** A copy, which the caller may move away. */
  async get(ref: BlobRef, into?: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    const content = this.#kept.get(ref.hash) ?? (await this.#fetch(ref, signal));
    // Once more the most recently used.
    this.#keep(ref.hash, content);
    if (!into) return content.slice();
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

  #keep(hash: string, content: Uint8Array): void {
    if (content.length > this.mostBytes / 4) return;
    const known = this.#kept.delete(hash);
    if (!known) this.#bytes += content.length;
    this.#kept.set(hash, content);
    for (const [oldest, { length }] of this.#kept) {
      if (this.#bytes <= this.mostBytes) return;
      this.#kept.delete(oldest);
      this.#bytes -= length;
    }
  }
}
