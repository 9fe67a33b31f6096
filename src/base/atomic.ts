import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MeanfieldError, messageOf } from './errors.js';

/**
 * Writes a whole file so that a reader, after a crash at any moment, sees the old content or the new, never a part:
 * a temporary name in the same folder, sync, rename, sync of the folder.
 *
 * @throws MeanfieldError when the disk is full or the folder cannot be written; the old file is left as it was
 */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array | Iterable<Uint8Array>,
): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, 'w');
    try {
      if (typeof content === 'string' || content instanceof Uint8Array) await file.writeFile(content);
      else for (const chunk of content) await writeAll(file, chunk);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw asWriteError(error, path);
  }
}

/** Makes the names in a folder durable: without this a rename may be lost with the power. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Turns a failure of the file system into an error that says what to do; passes others on. */
export function asWriteError(error: unknown, path: string): unknown {
  switch ((error as NodeJS.ErrnoException)?.code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new MeanfieldError(
        `No disk space left while writing ${path}. What was saved before is unharmed; free some space, then continue.`,
        { cause: error },
      );
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
    case 'ENOTDIR':
      return new MeanfieldError(`Cannot write ${path}: ${messageOf(error)}. Check the folder's permissions.`, {
        cause: error,
      });
    default:
      return error;
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await file.write(bytes, done)).bytesWritten;
}
