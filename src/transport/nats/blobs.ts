import { createHash, type Hash } from 'node:crypto';
import type { NatsConnection } from '@nats-io/nats-core';
import { inParallel } from '../../base/in-parallel.js';
import { BlobDamagedError, BlobMissingError, QuotaError } from '../errors.js';
import type { BlobRef, BlobStore } from '../transport.js';
import { ByteWindow } from './byte-window.js';
import type { Patience } from './patience.js';
import { JetStreamRefusal, jetStreamReply, request } from './requests.js';
import { nearestMessage, newestMessage } from './stored-message.js';
import { keySubject, type Subjects, streamOf } from './subjects.js';

/** Under a second on a line of 10 Mb/s, so that time-outs and progress are of a size; what a default server takes. */
const LARGEST_CHUNK = 1024 * 1024;
/** Room in a message for its subject and headers. */
const HEADROOM = 4096;
/** Chunks read at once by one get; the window bounds the bytes. */
const PARALLEL = 16;

/**
 * Blobs as chunks in a JetStream stream of their owner, one message a chunk under a subject of its own, which is written once. Chunks
 * are equal but for the last, so a reader knows where each belongs; they are read by Direct Get, which every replica of
 * the stream answers, and again from the leader where one lags behind.
 */
export class NatsBlobs implements BlobStore {
  readonly traffic = { sent: 0, received: 0 };
  private readonly sending = new ByteWindow();
  private readonly receiving = new ByteWindow();
  private readonly chunk: number;

  constructor(
    private readonly connection: NatsConnection,
    private readonly subjects: Subjects,
    private readonly patience: Patience,
  ) {
    this.chunk = Math.min(LARGEST_CHUNK, (connection.info?.max_payload ?? LARGEST_CHUNK) - HEADROOM);
  }

  async put(key: string, content: Uint8Array, signal?: AbortSignal): Promise<BlobRef> {
    const base = `${this.subjects.blobs}.${keySubject(key)}`;
    const chunks = Math.max(1, Math.ceil(content.length / this.chunk));
    const size = Math.ceil(content.length / chunks);
    const hash = createHash('sha256');
    await inParallel(
      Array(chunks).keys(),
      async (index) => {
        const part = content.subarray(index * size, (index + 1) * size);
        // Begun in order, before the first wait.
        hash.update(part);
        await this.sending.within(part.length, () => this.putChunk(key, `${base}.${index}`, part, signal));
      },
      PARALLEL,
    );
    return { key, bytes: content.length, chunks, hash: hash.digest('hex') };
  }

  async get(ref: BlobRef, into?: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    const size = Math.ceil(ref.bytes / ref.chunks);
    // What comes of a stranger's reference: no room is made for chunks that nobody can have stored.
    if (!(size <= LARGEST_CHUNK) || ref.chunks > Math.max(1, ref.bytes))
      throw new BlobDamagedError(`The blob ${ref.key} is said to have ${ref.bytes} bytes in ${ref.chunks} chunks.`);
    const target = into ?? roomFor(ref);
    if (target.length !== ref.bytes) throw new Error(`${ref.key} has ${ref.bytes} bytes, the array ${target.length}`);
    if ((await this.read(ref, target, false, signal)) === ref.hash) return target;
    // A replica that lags behind gave chunks of what was there before; the leader has the newest.
    const found = await this.read(ref, target, true, signal);
    if (found === ref.hash) return target;
    throw new BlobDamagedError(`The blob ${ref.key} is damaged: expected sha256 ${ref.hash}, got ${found}.`);
  }

  async delete(prefix: string): Promise<void> {
    const filter = `${this.subjects.blobs}.${keySubject(prefix)}.>`;
    await this.patience.keepTrying((timeout) => this.purge(prefix, filter, timeout));
  }

  private async purge(key: string, filter: string, timeout: number): Promise<void> {
    const what = `delete ${filter}`;
    const payload = new TextEncoder().encode(JSON.stringify({ filter }));
    const subject = `${this.subjects.api}.STREAM.PURGE.${this.streamOf(key)}`;
    jetStreamReply(await request(this.connection, subject, payload, { timeout, what }), what);
  }

  private async putChunk(key: string, subject: string, part: Uint8Array, signal?: AbortSignal): Promise<void> {
    const what = `store ${subject}`;
    await this.patience.keepTrying(
      async (timeout) => {
        this.traffic.sent += part.length;
        try {
          jetStreamReply(await request(this.connection, subject, part, { timeout, what }), what);
        } catch (error) {
          if (error instanceof JetStreamRefusal && error.beyondQuota)
            throw new QuotaError(`${ownerOf(key)} may not store ${part.length} bytes more: ${error.message}`, {
              cause: error,
            });
          if (!(error instanceof JetStreamRefusal && error.taken)) throw error;
          // Ours, whose acknowledgement was lost, or the same bits made again; anything else only we may put in its place.
          if (Buffer.compare(await this.getChunk(key, subject, part.length, true, signal), part) === 0) return;
          await this.purge(key, subject, timeout);
          jetStreamReply(await request(this.connection, subject, part, { timeout, what }), what);
        }
      },
      signal,
      part.length,
    );
  }

  private streamOf(key: string): string {
    return streamOf(this.subjects, ownerOf(key));
  }

  /** @returns the hash of what was read; a chunk of another size makes it empty */
  private async read(ref: BlobRef, target: Uint8Array, fromLeader: boolean, signal?: AbortSignal): Promise<string> {
    const base = `${this.subjects.blobs}.${keySubject(ref.key)}`;
    const size = Math.ceil(ref.bytes / ref.chunks);
    const hash = new OrderedHash(target, size);
    let fits = true;
    await inParallel(
      Array(ref.chunks).keys(),
      async (index) => {
        const place = target.subarray(index * size, (index + 1) * size);
        const part = await this.receiving.within(place.length, () =>
          this.getChunk(ref.key, `${base}.${index}`, place.length, fromLeader, signal),
        );
        if (part.length !== place.length) {
          fits = false;
          return;
        }
        place.set(part);
        hash.add(index);
      },
      PARALLEL,
    );
    return fits ? hash.digest() : '';
  }

  private async getChunk(
    key: string,
    subject: string,
    bytes: number,
    fromLeader: boolean,
    signal?: AbortSignal,
  ): Promise<Uint8Array> {
    const what = `read ${subject}`;
    return this.patience.keepTrying(
      async (timeout) => {
        const look = (find: typeof nearestMessage) =>
          find(this.connection, this.subjects, this.streamOf(key), subject, { timeout, what });
        const found = (fromLeader ? undefined : await look(nearestMessage)) ?? (await look(newestMessage));
        if (!found) throw new BlobMissingError(`The server does not have ${subject} (any more).`);
        this.traffic.received += found.value.length;
        return found.value;
      },
      signal,
      bytes,
    );
  }
}

function ownerOf(key: string): string {
  return key.split('/', 1)[0]!;
}

function roomFor({ key, bytes }: BlobRef): Uint8Array {
  try {
    return new Uint8Array(bytes);
  } catch (error) {
    throw new BlobDamagedError(`There is no room for the ${bytes} bytes that ${key} is said to have.`, {
      cause: error,
    });
  }
}

/** Hashes pieces of an array that become ready in any order. */
class OrderedHash {
  private readonly hash: Hash = createHash('sha256');
  private readonly ready = new Set<number>();
  private next = 0;

  constructor(
    private readonly content: Uint8Array,
    private readonly size: number,
  ) {}

  add(index: number): void {
    this.ready.add(index);
    for (; this.ready.delete(this.next); this.next++) {
      this.hash.update(this.content.subarray(this.next * this.size, (this.next + 1) * this.size));
    }
  }

  digest(): string {
    return this.hash.digest('hex');
  }
}
