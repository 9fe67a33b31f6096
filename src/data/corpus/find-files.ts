import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import defaultExtensions from './text-extensions.json' with { type: 'json' };
import type { CorpusOptions } from './types.js';

/** A file of a corpus. */
export interface CorpusFile {
  path: string;
  size: number;
  /** When it was last changed, in milliseconds since 1970. */
  modified: number;
  /** Whether the user named the file itself rather than a folder: then it is an error if it cannot be used. */
  named: boolean;
}

/** The files of a corpus in the order in which they are read, and how many in folders have another extension. */
export interface FoundFiles {
  files: CorpusFile[];
  skippedOther: number;
}

/**
 * Finds the files of a corpus. In folders, hidden entries and `node_modules` are passed over, and links to folders are
 * not followed.
 *
 * @throws MeanfieldError when a path does not exist or there is no file to read
 */
export async function findFiles({ paths, extensions = defaultExtensions }: CorpusOptions): Promise<FoundFiles> {
  if (paths.length === 0) throw new MeanfieldError('No text to read: name at least one file or folder.');
  const found: FoundFiles = { files: [], skippedOther: 0 };
  for (const path of paths) {
    const info = await stat(path).catch((error: unknown) => {
      throw new MeanfieldError(notReadable(path, error), { cause: error });
    });
    if (info.isDirectory()) await walk(path, extensions, found);
    else if (info.isFile()) found.files.push({ path, size: info.size, modified: info.mtimeMs, named: true });
    else
      throw new MeanfieldError(`${path} is neither a file nor a folder. Name a text file, or write the stream to one.`);
  }
  if (found.files.length === 0) {
    throw new MeanfieldError(
      `No text files in ${paths.join(', ')} (${found.skippedOther} with other extensions were passed over). ` +
        `In a folder these are read, also with .gz: ${extensions.join(' ')}. Any other text file can be named itself.`,
    );
  }
  return found;
}

async function walk(folder: string, extensions: readonly string[], found: FoundFiles): Promise<void> {
  let entries: Dirent[];
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    throw new MeanfieldError(notReadable(folder, error), { cause: error });
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      await walk(path, extensions, found);
    } else {
      // A link that leads nowhere, or to a folder, is not a text file.
      const info = await stat(path).catch(() => undefined);
      if (!info?.isFile() || !extensions.some((extension) => bareName(entry.name).endsWith(extension))) {
        found.skippedOther++;
      } else {
        found.files.push({ path, size: info.size, modified: info.mtimeMs, named: false });
      }
    }
  }
}

/** A file's name in lower case without `.gz`. */
export function bareName(path: string): string {
  return path.toLowerCase().replace(/\.gz$/, '');
}

function notReadable(path: string, error: unknown): string {
  if ((error as NodeJS.ErrnoException)?.code === 'ENOENT') return `There is no file or folder ${path}.`;
  return `Cannot read ${path}: ${messageOf(error)}.`;
}
