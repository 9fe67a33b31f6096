import type { Dirent } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import { basename, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { spelledError } from '../../base/spelling.js';
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
  /** Folders of runs of Meanfield, which were passed over. */
  skippedRuns: string[];
}

/** Names that are kept of links that were passed over. */
const LINKS = 3;
/** The longest name of a file that the usual file systems take, in bytes. */
const LONGEST_NAME = 255;
/** How much of a `run.json` is looked at. */
const RECORD_BYTES = 4096;

/**
 * Finds the files of a corpus. In folders, hidden entries, `node_modules` and the folders of earlier runs are passed
 * over, and so are links to folders and to files outside of the folder: who fills a folder with text must not choose
 * what else of this machine is read, learned, and sent to other machines.
 *
 * @throws MeanfieldError when a path does not exist or there is no file to read
 */
export async function findFiles(options: CorpusOptions): Promise<FoundFiles> {
  const { paths, extensions = defaultExtensions } = options;
  if (paths.length === 0) throw new MeanfieldError('No text to read: name at least one file or folder.');
  const found: FoundFiles = { files: [], skippedOther: 0, skippedLinks: 0, skippedLinkFiles: [], skippedRuns: [] };
  const except = (options.except ?? []).map((path) => resolve(path));
  for (const path of paths) {
    const info = await stat(path).catch((error: unknown) => {
      throw new MeanfieldError(notReadable(path, error), { cause: error });
    });
    if (info.isDirectory()) {
      if (await isRun(path)) {
        throw spelledError(
          MeanfieldError,
          ({ option }) =>
            `${path} is the folder of a run, not of text. Name the text itself; to go on with the run, use ` +
            `${option('resume', true)}.`,
        );
      }
      await walk(path, { root: await realpath(path), extensions, except, signal: options.signal, found });
    } else if (info.isFile()) {
      found.files.push({ path, size: info.size, modified: info.mtimeMs, named: true });
    } else {
      throw new MeanfieldError(`${path} is neither a file nor a folder. Name a text file, or write the stream to one.`);
    }
  }
  if (found.files.length === 0) {
    throw new MeanfieldError(
      `No text files in ${paths.join(', ')} (${found.skippedOther} with other extensions were passed over, ` +
        `${found.skippedLinks} links to files outside, ${found.skippedRuns.length} folders of runs). ` +
        `In a folder these are read, also with .gz: ${extensions.join(' ')}. Any other text file can be named itself.`,
    );
  }
  return found;
}

interface Walk {
  /** Its true name, without links. */
  readonly root: string;
  readonly extensions: readonly string[];
  /** Absolute paths of files and folders that are none of the corpus. */
  readonly except: readonly string[];
  readonly signal: AbortSignal | undefined;
  readonly found: FoundFiles;
}

async function walk(folder: string, within: Walk): Promise<void> {
  const { root, extensions, except, signal, found } = within;
  signal?.throwIfAborted();
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
    if (except.includes(resolve(path))) continue;
    if (entry.isDirectory()) {
      if (await isRun(path)) found.skippedRuns.push(path);
      else await walk(path, within);
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

/** Whether a folder is a run's: its figures and tokens are no text of the user's. */
async function isRun(folder: string): Promise<boolean> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(join(folder, 'run.json'));
  } catch {
    return false;
  }
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(RECORD_BYTES), 0, RECORD_BYTES, 0);
    return /"format":\s*"meanfield-run"/.test(buffer.toString('utf8', 0, bytesRead));
  } catch {
    return false;
  } finally {
    await file.close();
  }
}

/** A file's name in lower case without `.gz`. */
export function bareName(path: string): string {
  return path.toLowerCase().replace(/\.gz$/, '');
}

function notReadable(path: string, error: unknown): string {
  const code = (error as NodeJS.ErrnoException)?.code;
  if (code === 'ENOENT') return `There is no file or folder ${path}.`;
  if (code === 'ENOTDIR') return `There is no ${path}: a part of that path is a file, not a folder.`;
  if (code === 'ENAMETOOLONG') {
    const name = basename(path);
    return (
      `There can be no file or folder ${name.slice(0, 40)}…: its name has ${Buffer.byteLength(name)} bytes, ` +
      `and file systems take at most ${LONGEST_NAME}. Check the path.`
    );
  }
  if (code === 'EACCES' || code === 'EPERM') return `Cannot read ${path}: you may not. Check its permissions.`;
  return `Cannot read ${path}: ${messageOf(error)}.`;
}
