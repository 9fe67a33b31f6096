import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { sha256File } from '../../base/hash.js';
import type { ShardList } from './shard-list.js';
import { checkRange, type TokenSource } from './token-source.js';

/**
 * Token files on disk as one row. Ranges are read where they lie, through the system's own page cache, so memory stays
 * flat however long the row is. Reading is synchronous: it happens in threads that train.
 */
export class TokenShards implements TokenSource {
  readonly length: number;
  readonly #width: 2 | 4;
  readonly #files: { path: string; start: number; end: number; sha256: string; fd: number | undefined }[] = [];
  #buffer = new Uint8Array(1 << 12);

  /** @throws MeanfieldError when a file is missing or has another length than its manifest says */
  constructor(folder: string, list: ShardList) {
    this.#width = list.width;
    let start = 0;
    for (const { name, tokens, sha256 } of list.files) {
      const path = join(folder, name);
      const size = statSync(path, { throwIfNoEntry: false })?.size;
      if (size !== tokens * list.width) {
        throw new MeanfieldError(
          `${path} should have ${tokens * list.width} bytes, it ${size === undefined ? 'is missing' : `has ${size}`}. ` +
            `Remove ${folder} to have its tokens made again.`,
        );
      }
      this.#files.push({ path, start, end: start + tokens, sha256, fd: undefined });
      start += tokens;
    }
    if (start !== list.length) {
      throw new MeanfieldError(`The manifest in ${folder} speaks of ${list.length} tokens, its files hold ${start}.`);
    }
    this.length = start;
  }

  /** Names of the files in their folder. */
  get names(): string[] {
    return this.#files.map(({ path }) => basename(path));
  }

  read(start: number, count: number, into: Int32Array = new Int32Array(count), offset = 0): Int32Array {
    checkRange(start, count, this.length);
    const end = start + count;
    for (let index = this.#fileAt(start); start < end; index++) {
      const file = this.#files[index]!;
      const here = Math.min(end, file.end) - start;
      this.#readFile(file, start - file.start, here, into, offset);
      offset += here;
      start += here;
    }
    return into;
  }

  /** Compares every file with its hash. @throws MeanfieldError naming the first that differs */
  async verify(signal?: AbortSignal): Promise<void> {
    for (const { path, sha256 } of this.#files) {
      if ((await sha256File(path, signal)) !== sha256) {
        throw new MeanfieldError(`${path} is damaged: its sha256 is not the one in its manifest.`);
      }
    }
  }

  /** Closes the files; a later read opens them again. */
  close(): void {
    for (const file of this.#files) {
      if (file.fd !== undefined) closeSync(file.fd);
      file.fd = undefined;
    }
  }

  /** The file in which token `start` lies, by bisection. */
  #fileAt(start: number): number {
    let low = 0;
    for (let high = this.#files.length - 1; low < high; ) {
      const middle = (low + high) >> 1;
      if (start < this.#files[middle]!.end) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #readFile(
    file: { path: string; fd: number | undefined },
    first: number,
    count: number,
    into: Int32Array,
    offset: number,
  ): void {
    const length = count * this.#width;
    if (length > this.#buffer.length) this.#buffer = new Uint8Array(2 * length);
    const buffer = this.#buffer;
    try {
      file.fd ??= openSync(file.path, 'r');
      for (let done = 0; done < length; ) {
        const got = readSync(file.fd, buffer, done, length - done, first * this.#width + done);
        if (got === 0) throw new Error('the file has become shorter');
        done += got;
      }
    } catch (error) {
      throw new MeanfieldError(`Cannot read tokens from ${file.path}: ${messageOf(error)}.`, { cause: error });
    }
    if (this.#width === 2) {
      for (let i = 0; i < count; i++) into[offset + i] = buffer[2 * i]! | (buffer[2 * i + 1]! << 8);
    } else {
      const view = new DataView(buffer.buffer);
      for (let i = 0; i < count; i++) into[offset + i] = view.getUint32(4 * i, true);
    }
  }
}
