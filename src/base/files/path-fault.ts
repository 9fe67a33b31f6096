import { constants } from 'node:fs';
import { access, lstat, readlink, stat } from 'node:fs/promises';
import { messageOf } from '../errors.js';

/** What {@link pathFault} says of a file that is not there at all. */
export const NO_SUCH_FILE = 'there is no such file';

/**
 * Why a path cannot be read as a file, or as a folder, with what to do about it, as the end of a sentence; undefined
 * where it can.
 */
export async function pathFault(path: string, wanted: 'file' | 'folder'): Promise<string | undefined> {
  if (path.includes('\0')) return 'its name holds a zero byte';
  if (path === '') return 'the name is empty';
  try {
    const found = await stat(path);
    const right = wanted === 'file' ? found.isFile() : found.isDirectory();
    if (!right) {
      if (found.isDirectory()) return 'it is a folder, not a file';
      return found.isFile() ? 'it is a file, not a folder' : 'it is a device, a pipe or a socket';
    }
    await access(path, wanted === 'file' ? constants.R_OK : constants.R_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return reasonOf(error, path, wanted);
  }
}

async function reasonOf(error: unknown, path: string, wanted: 'file' | 'folder'): Promise<string> {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return missing(path, wanted);
    case 'ENOTDIR':
      return 'a part of the path is a file, not a folder';
    case 'EACCES':
    case 'EPERM':
      return 'there is no permission to read it: see its owner and mode with ls -l';
    case 'ENAMETOOLONG': {
      const longest = Math.max(...path.split(/[/\\]/).map((part) => Buffer.byteLength(part)));
      return `the name is too long: a part of it has ${longest} bytes, and file systems take 255 at most`;
    }
    case 'ELOOP':
      return 'it is a link that leads back to itself';
    default:
      return messageOf(error);
  }
}

/** A link whose target is gone, as in a copy of Hugging Face's cache without its blobs, looks like a file to `ls`. */
async function missing(path: string, wanted: 'file' | 'folder'): Promise<string> {
  try {
    if ((await lstat(path)).isSymbolicLink()) return `it is a link to ${await readlink(path)}, which is missing`;
  } catch {
    // There is nothing by this name.
  }
  return `there is no such ${wanted}`;
}
