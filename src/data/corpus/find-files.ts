import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
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

/** The files of a corpus in the order in which they are read. */
export interface FoundFiles {
  files: CorpusFile[];
  /** How many in folders have another extension. */
  skippedOther: number;
  /** How many in folders are links to files outside of the folder, and the names of the first. */
  skippedLinks: number;
  skippedLinkFiles: string[];
}

/** Names that are kept of links that were passed over. */
const LINKS = 3;

/**
 * Finds the files of a corpus. In folders, hidden entries and `node_modules` are passed over, and so are links to
 * folders and to files outside of the folder: who fills a folder with text must not choose what else of this machine is
 * read, learned, and sent to other machines.
 *
 * @throws MeanfieldError when a path does not exist or there is no file to read
 */
export async function findFiles({ paths, extensions = defaultExtensions }: CorpusOptions): Promise<FoundFiles> {
  if (paths.length === 0) throw new MeanfieldError('No text to read: name at least one file or folder.');
  const found: FoundFiles = { files: [], skippedOther: 0, skippedLinks: 0, skippedLinkFiles: [] };
  for (const path of paths) {
    const info = await stat(path).catch((error: unknown) => {
      throw new MeanfieldError(notReadable(path, error), { cause: error });
    });
    if (info.isDirectory()) await walk(path, { root: await realpath(path), extensions, found });
    else if (info.isFile()) found.files.push({ path, size: info.size, modified: info.mtimeMs, named: true });
    else
      throw new MeanfieldError(`${path} is neither a file nor a folder. Name a text file, or write the stream to one.`);
  }
  if (found.files.length === 0) {
    throw new MeanfieldError(
      `No text files in ${paths.join(', ')} (${found.skippedOther} with other extensions were passed over, ` +
        `${found.skippedLinks} links to files outside). ` +
        `In a folder these are read, also with .gz: ${extensions.join(' ')}. Any other text file can be named itself.`,
    );
  }
  return found;
}

interface Walk {
  /** Its true name, without links. */
  readonly root: string;
  readonly extensions: readonly string[];
  readonly found: FoundFiles;
}

async function walk(folder: string, { root, extensions, found }: Walk): Promise<void> {
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
      await walk(path, { root, extensions, found });
    } else {
      // A link that leads nowhere, or to a folder, is not a text file.
      const info = await stat(path).catch(() => undefined);
      if (!info?.isFile() || !extensions.some((extension) => bareName(entry.name).endsWith(extension))) {
        found.skippedOther++;
      } else if (entry.isSymbolicLink() && !(await leadsInto(root, path))) {
        if (found.skippedLinks++ < LINKS) found.skippedLinkFiles.push(path);
      } else {
        found.files.push({ path, size: info.size, modified: info.mtimeMs, named: false });
      }
    }
  }
}

async function leadsInto(root: string, link: string): Promise<boolean> {
  const way = relative(root, await realpath(link));
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** A file's name in lower case without `.gz`. */
export function bareName(path: string): string {
  return path.toLowerCase().replace(/\.gz$/, '');
}

function notReadable(path: string, error: unknown): string {
  if ((error as NodeJS.ErrnoException)?.code === 'ENOENT') return `There is no file or folder ${path}.`;
  return `Cannot read ${path}: ${messageOf(error)}.`;
}
