import { open } from 'node:fs/promises';
import { MeanfieldError } from '../base/errors.js';
import { asSystemError, shownPath } from '../base/system-errors.js';

/** Parts of a contribution, a result or a snapshot, one behind the other in a file of this machine. */
export interface PartFile {
  readonly path: string;
  /** Bytes of each. */
  readonly sizes: readonly number[];
}

/** Parts in memory, or in a file where a machine keeps vectors on disk. */
export type HeldParts = readonly Uint8Array[] | PartFile;

/** Bytes of parts that are on their way at once where they are not to be in memory together. */
const UNDER_WAY = 64 * 2 ** 20;
const MOST_UNDER_WAY = 8;

/** How many of such parts are fetched or stored at a time: little memory, and a line that is still full. */
export function atOnce(sizes: readonly number[]): number {
  return Math.max(1, Math.min(MOST_UNDER_WAY, Math.floor(UNDER_WAY / Math.max(1, ...sizes))));
}

export function isFile(parts: HeldParts): parts is PartFile {
  return 'path' in parts;
}

/** Bytes of each. */
export function sizesOf(parts: HeldParts): readonly number[] {
  return isFile(parts) ? parts.sizes : parts.map(({ length }) => length);
}

/** Reads parts while some work lasts; those in memory as they are. @throws MeanfieldError when a file cannot be read */
export async function withParts<T>(
  parts: HeldParts,
  work: (part: (i: number) => Promise<Uint8Array>) => Promise<T>,
): Promise<T> {
  if (!isFile(parts)) return work(async (i) => parts[i]!);
  const { path, sizes } = parts;
  const places = placesOf(sizes);
  const file = await open(path).catch((error) => {
    throw asSystemError(error, `read ${shownPath(path)}`);
  });
  try {
    return await work(async (i) => {
      const bytes = new Uint8Array(sizes[i]!);
      for (let done = 0; done < bytes.length; ) {
        const { bytesRead } = await file.read(bytes, done, bytes.length - done, places[i]! + done);
        if (bytesRead === 0) throw new MeanfieldError(`${path} was cut off. Start this machine anew.`);
        done += bytesRead;
      }
      return bytes;
    });
  } finally {
    await file.close();
  }
}

/**
 * Makes a file of parts while some work lasts, which puts them where they belong, in any order.
 *
 * @throws MeanfieldError when it cannot be written, as on a full disk
 */
export async function writeParts(
  path: string,
  sizes: readonly number[],
  work: (put: (i: number, part: Uint8Array) => Promise<void>) => Promise<unknown>,
): Promise<PartFile> {
  const places = placesOf(sizes);
  const failed = (error: unknown) => asSystemError(error, `write ${shownPath(path)}`);
  const file = await open(path, 'w').catch((error) => {
    throw failed(error);
  });
  try {
    await work(async (i, part) => {
      if (part.length !== sizes[i]) throw new Error(`part ${i} should have ${sizes[i]} bytes, it has ${part.length}`);
      try {
        for (let done = 0; done < part.length; ) {
          const { bytesWritten } = await file.write(part, done, part.length - done, places[i]! + done);
          done += bytesWritten;
        }
      } catch (error) {
        throw failed(error);
      }
    });
  } finally {
    await file.close();
  }
  return { path, sizes };
}

function placesOf(sizes: readonly number[]): number[] {
  let at = 0;
  return sizes.map((size) => (at += size) - size);
}
