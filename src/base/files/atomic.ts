import { createHash, randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { asSystemError, shownPath } from '../system-errors.js';
import { makeFolder } from './make-folder.js';

/** What a file is written from: a text, bytes, or pieces made one after another so that no second copy arises. */
export type FileContent = string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** What was written. */
export interface WrittenFile {
  readonly bytes: number;
  /** 64 hexadecimal digits. */
  readonly sha256: string;
}

/** How a file is made. */
export interface WriteOptions {
  /** For the owner's eyes alone (mode 0600), from the first byte on. */
  readonly secret?: boolean;
}

/** One call writes or reads at most this many bytes: Node and the kernel refuse 2 GiB and more. */
export const LARGEST_TRANSFER = 16 * 2 ** 20;

/**
 * Writes a whole file so that a reader, after a crash at any moment, sees the old content or the new, never a part:
 * a temporary name in the same folder, sync, rename, sync of the folder.
 *
 * @throws MeanfieldError when the disk is full or the folder cannot be written; the old file is left as it was
 */
export async function writeFileAtomic(
  path: string,
  content: FileContent,
  options: WriteOptions = {},
): Promise<WrittenFile> {
  // Random, because two threads of one process may write the same file.
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    await makeFolder(dirname(path));
    const written = await writeFileSynced(temporary, content, options);
    await rename(temporary, path);
    await syncFolder(dirname(path));
    return written;
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw asWriteError(error, path);
  }
}

/**
 * Writes a file that is not there yet and waits until the disk has it. A crash leaves a part of it: use it for files that no one reads yet,
 * such as those of a folder under a temporary name.
 */
export async function writeFileSynced(
  path: string,
  content: FileContent,
  { secret = false }: WriteOptions = {},
): Promise<WrittenFile> {
  const hash = createHash('sha256');
  let bytes = 0;
  // Whoever may write the folder may have put a file, or a link to one, under this name.
  const file = await open(path, 'wx', secret ? 0o600 : 0o666);
  try {
    for await (const chunk of chunksOf(content)) {
      for (let start = 0; start < chunk.length; start += LARGEST_TRANSFER) {
        const part = chunk.subarray(start, start + LARGEST_TRANSFER);
        // The disk works in a thread of the pool while this one hashes.
        const written = file.write(part);
        hash.update(part);
        let done = (await written).bytesWritten;
        while (done < part.length) done += (await file.write(part, done)).bytesWritten;
        bytes += part.length;
      }
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** Makes the names in a folder durable: without this a rename may be lost with the power. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows opens no folder as a file; its file systems keep their own journal of names.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Turns a failure of the file system into an error that says what to do; passes others on. */
export function asWriteError(error: unknown, path: string): unknown {
  return asSystemError(error, `write ${shownPath(path)}`);
}

function chunksOf(content: FileContent): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  if (typeof content === 'string') return [new TextEncoder().encode(content)];
  return content instanceof Uint8Array ? [content] : content;
}
