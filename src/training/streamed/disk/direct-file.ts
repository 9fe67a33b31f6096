import { constants, type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MeanfieldError } from '../../../base/errors.js';
import { makeFolder } from '../../../base/files/make-folder.js';
import { asSystemError, shownPath } from '../../../base/system-errors.js';
import { PAGE } from '../sections.js';

/** Bytes of a page: where a file is read and written past the system's cache, places, lengths and memory are multiples. */
const PAGE_BYTES = PAGE * Float32Array.BYTES_PER_ELEMENT;
/** One call moves at most so many bytes: several threads of the pool work on a section together. */
const PIECE = 4 * 2 ** 20;

/** Where a page may begin in a buffer: a large one begins 16 bytes behind it in V8, others anywhere. */
const PLACES = [PAGE_BYTES - 16, ...Array.from({ length: PAGE_BYTES / 8 }, (_, i) => 8 * i)];

/** Reads and writes at a place, as `FileHandle` does; fewer bytes than asked for may be moved. */
export interface RawFile {
  read(bytes: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
  write(
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>;
  truncate(length: number): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** How a file is opened: `direct` past the system's cache, which throws where the file system cannot. */
export type OpenRaw = (path: string, direct: boolean) => Promise<RawFile>;

export const openRaw: OpenRaw = (path, direct) => {
  const flags = constants.O_RDWR | constants.O_CREAT | (direct ? constants.O_DIRECT : 0);
  return open(path, flags, 0o666) as Promise<FileHandle & RawFile>;
};

/** Whether this system knows of files that are read and written past its cache. */
const knowsDirect = constants.O_DIRECT !== undefined;

/**
 * A file of float32 values at places that are multiples of a page, read and written past the system's cache where the file
 * system lets it: what is used once a step would only push everything else out of memory.
 */
export class DirectFile {
  private constructor(
    readonly path: string,
    private readonly raw: RawFile,
    /** Where its page for trials is, in bytes. */
    private readonly trial: number,
    /** Whether it goes past the system's cache. */
    readonly direct: boolean,
  ) {}

  /**
   * Opens a file, or makes one, and gives it a length in elements: what was never written reads as 0.
   *
   * @throws MeanfieldError when it cannot be opened
   */
  static async open(path: string, elements: number, by: OpenRaw = openRaw): Promise<DirectFile> {
    try {
      return await opened(path, elements, by);
    } catch (error) {
      throw asSystemError(error, `write ${shownPath(path)}`);
    }
  }

  /** @internal */
  static of(path: string, raw: RawFile, elements: number, direct: boolean): DirectFile {
    return new DirectFile(path, raw, elements * Float32Array.BYTES_PER_ELEMENT, direct);
  }

  /** How long a file of so many elements is, with the page that memory is tried with. */
  static bytes(elements: number): number {
    return elements * Float32Array.BYTES_PER_ELEMENT + PAGE_BYTES;
  }

  /** Memory that is read into and written from, whole pages of it. */
  async memory(elements: number): Promise<Float32Array> {
    const buffer = new ArrayBuffer(elements * Float32Array.BYTES_PER_ELEMENT + PAGE_BYTES);
    const place = this.direct ? await this.place(buffer) : 0;
    if (place === undefined) throw new Error('no place in memory that the file is read into');
    return new Float32Array(buffer, place, elements);
  }

  /**
   * The first place of a buffer from which a page can be moved; undefined where there is none.
   *
   * @internal
   * @param move `write` gives the page for trials its block: from a hole a file system may read to anywhere
   */
  async place(buffer: ArrayBuffer, move: 'read' | 'write' = 'read'): Promise<number | undefined> {
    for (const place of PLACES) {
      try {
        await this.raw[move](new Uint8Array(buffer, place, PAGE_BYTES), 0, PAGE_BYTES, this.trial);
        return place;
      } catch (error) {
        if (!isRefused(error)) throw error;
      }
    }
    return undefined;
  }

  /** Fills whole pages of {@link memory}. @param at in elements */
  async read(pages: Float32Array, at: number): Promise<void> {
    await this.#move(pages, at, 'read', async (bytes, offset, length, position) => {
      const { bytesRead } = await this.raw.read(bytes, offset, length, position);
      return bytesRead;
    });
  }

  async write(pages: Float32Array, at: number): Promise<void> {
    await this.#move(pages, at, 'write', async (bytes, offset, length, position) => {
      const { bytesWritten } = await this.raw.write(bytes, offset, length, position);
      return bytesWritten;
    });
  }

  /** Waits until the disk has what was written. */
  async sync(): Promise<void> {
    try {
      await this.raw.sync();
    } catch (error) {
      throw asSystemError(error, `write ${shownPath(this.path)}`);
    }
  }

  close(): Promise<void> {
    return this.raw.close();
  }

  async #move(
    pages: Float32Array,
    at: number,
    doing: 'read' | 'write',
    move: (bytes: Uint8Array, offset: number, length: number, position: number) => Promise<number>,
  ): Promise<void> {
    const bytes = new Uint8Array(pages.buffer, pages.byteOffset, pages.byteLength);
    const start = at * Float32Array.BYTES_PER_ELEMENT;
    const piece = async (from: number): Promise<void> => {
      const end = Math.min(from + PIECE, bytes.length);
      for (let done = from; done < end; ) {
        const moved = await move(bytes, done, end - done, start + done);
        // Past the cache a rest must begin at a page; what is there of one is moved again.
        done += moved === end - done || !this.direct ? moved : moved - (moved % PAGE_BYTES);
        if (moved === 0 || (this.direct && moved < PAGE_BYTES && done < end)) throw this.#short(doing, start + done);
      }
    };
    try {
      await Promise.all(Array.from({ length: Math.ceil(bytes.length / PIECE) }, (_, i) => piece(i * PIECE)));
    } catch (error) {
      throw asSystemError(error, `${doing} ${shownPath(this.path)}`);
    }
  }

  #short(doing: string, at: number): MeanfieldError {
    return new MeanfieldError(
      `Cannot ${doing} ${shownPath(this.path)}: nothing more came at byte ${at}. Was it cut off, or is the disk failing? ` +
        'Resume the run: it goes on from its last checkpoint.',
    );
  }
}

/**
 * Whether files of a folder, which is made if need be, are read and written past the system's cache.
 *
 * @throws MeanfieldError when none can be made there
 */
export async function goesDirect(folder: string, by?: OpenRaw): Promise<boolean> {
  await makeFolder(folder);
  const path = join(folder, 'direct.tmp');
  const file = await DirectFile.open(path, 0, by);
  await file.close();
  await rm(path, { force: true });
  return file.direct;
}

async function opened(path: string, elements: number, by: OpenRaw): Promise<DirectFile> {
  const length = DirectFile.bytes(elements);
  if (knowsDirect) {
    let raw: RawFile | undefined;
    try {
      raw = await by(path, true);
      await raw.truncate(length);
      const file = DirectFile.of(path, raw, elements, true);
      // Some file systems take the flag and refuse every read.
      if ((await file.place(new ArrayBuffer(2 * PAGE_BYTES), 'write')) !== undefined) return file;
      await raw.close();
    } catch (error) {
      await raw?.close().catch(() => {});
      if (!isRefused(error)) throw error;
    }
  }
  const raw = await by(path, false);
  await raw.truncate(length);
  return DirectFile.of(path, raw, elements, false);
}

const isRefused = (error: unknown): boolean =>
  ['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'].includes(`${(error as NodeJS.ErrnoException).code}`);
