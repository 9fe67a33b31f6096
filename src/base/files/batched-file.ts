import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { asWriteError, syncFolder } from './atomic.js';

/** Pieces gather until there are so many bytes of them or so much time has passed. */
const BATCH_BYTES = 64 * 1024;
const BATCH_MS = 1000;

/** A file that only grows, written in batches beside the work that fills it. */
export class BatchedFile {
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #lastWrite: number;
  #writing: Promise<void> = Promise.resolve();
  #failure: unknown;

  private constructor(
    readonly path: string,
    private readonly file: FileHandle,
    private readonly now: () => number,
  ) {
    this.#lastWrite = now();
  }

  /**
   * @param flags `a` goes on with a file that may be there, `wx` refuses one
   * @param now milliseconds, by which batches are cut
   */
  static async open(path: string, flags: 'a' | 'wx', now: () => number): Promise<BatchedFile> {
    try {
      const file = await open(path, flags);
      await syncFolder(dirname(path));
      return new BatchedFile(path, file, now);
    } catch (error) {
      throw asWriteError(error, path);
    }
  }

  /** Adds a piece. @throws what an earlier batch failed with, such as a full disk */
  append(piece: Uint8Array): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes >= BATCH_BYTES || this.now() - this.#lastWrite >= BATCH_MS) this.#write();
  }

  /** Hands all pieces to the operating system, so that other processes see them. */
  async flush(): Promise<void> {
    this.#write();
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Waits until the disk has all pieces. */
  async sync(): Promise<void> {
    await this.flush();
    await this.file.sync();
  }

  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.file.close();
    }
  }

  #write(): void {
    this.#lastWrite = this.now();
    if (this.#bytes === 0) return;
    const batch = Buffer.concat(this.#pieces, this.#bytes);
    this.#pieces = [];
    this.#bytes = 0;
    this.#writing = this.#writing
      // After a failure the file ends in a torn batch: nothing may follow it.
      .then(() => (this.#failure === undefined ? this.file.appendFile(batch) : undefined))
      .catch((error: unknown) => {
        this.#failure = asWriteError(error, this.path);
      });
  }
}
