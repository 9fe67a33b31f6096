import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { MeanfieldError, messageOf } from '../base/errors.js';
import { writeFileAtomic } from '../base/files/atomic.js';
import { makeFolder } from '../base/files/make-folder.js';
import { sha256, sha256File } from '../base/hash.js';
import { spelledError } from '../base/spelling.js';
import type { BlobStore } from '../transport/transport.js';
import type { Configuration } from './protocol/configuration.js';
import { MOST_DATA, type WorkerLimits } from './worker/limits.js';

type Wanted = Configuration['data'];
type DataFile = Wanted['files'][number];

/** Which files are wanted, and where to. */
export interface FetchOptions {
  readonly blobs: BlobStore;
  /** A folder for the tokens of all runs. */
  readonly cache: string;
  /** All files, not only those that training needs. */
  readonly all?: boolean;
  /** What the machine's owner allows; all of it where they are the coordinator's too. */
  readonly allowed?: Pick<WorkerLimits, 'dataFolders' | 'dataHosts' | 'maxDataBytes'>;
  readonly onProgress?: (fraction: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Brings the run's tokens onto this machine, once: files that are in the cache and whole are not fetched again.
 *
 * @returns the folder where they lie, which is the shared one where the run has one
 * @throws MeanfieldError when a file is not allowed here, cannot be had, or is not what its hash says
 */
export async function fetchData({ data, fingerprint }: Configuration, options: FetchOptions): Promise<string> {
  const files = data.files.filter((file) => options.all || file.training);
  const { source } = data;
  requireAllowed({ source, files }, options);
  if (typeof source === 'object' && 'path' in source) {
    for (const file of files) await requireShared(source.path, file);
    return source.path;
  }
  const folder = join(options.cache, fingerprint);
  await makeFolder(folder);
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  for (const file of files) {
    const path = join(folder, file.name);
    if (!(await isWhole(path, file))) {
      const content = source === 'send' ? await received(file, options) : downloaded(source.http, file, options);
      await writeFileAtomic(path, content);
    }
    done += file.bytes;
    options.onProgress?.(done / Math.max(1, total));
  }
  return folder;
}

/** Whether a file is there as it should be. */
export async function isWhole(
  path: string,
  { bytes, sha256: hash }: Pick<DataFile, 'bytes' | 'sha256'>,
): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.size === bytes && (await sha256File(path)) === hash;
}

async function requireShared(folder: string, file: DataFile): Promise<void> {
  const path = join(folder, file.name);
  const found = await stat(path).catch(() => undefined);
  if (!found)
    throw new MeanfieldError(
      `${path} is not there: the run's data is read from a shared folder. Mount it at the same path on this machine.`,
    );
  if (!(await isWhole(path, file)))
    throw new MeanfieldError(`${path} is not the file that the run was started with: its sha256 differs.`);
}

async function received(file: DataFile, { blobs, signal }: FetchOptions): Promise<Uint8Array> {
  if (!file.blob) throw new MeanfieldError(`The run's configuration does not say where ${file.name} is stored.`);
  if (file.blob.bytes !== file.bytes) throw otherFile(file.blob.key, file);
  return checked(file, await blobs.get(file.blob, undefined, signal), file.blob.key);
}

/** The file as it comes, never more of it than it is said to have, and never from where it was not said to come. */
async function* downloaded(base: string, file: DataFile, { signal }: FetchOptions): AsyncGenerator<Uint8Array> {
  const url = `${base.replace(/\/$/, '')}/${file.name}`;
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    const response = await fetch(url, { redirect: 'manual', ...(signal && { signal }) });
    if (response.status >= 300 && response.status < 400)
      throw new Error(
        'the server sends us elsewhere, and where to is not asked; the coordinator must name the place itself',
      );
    if (!response.ok || !response.body) throw new Error(`the server answers ${response.status}`);
    // Leaving this loop ends the transfer.
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > file.bytes) throw new Error(`it has more than the ${file.bytes} bytes that the run says`);
      hash.update(chunk);
      yield chunk;
    }
  } catch (error) {
    throw new MeanfieldError(
      `Cannot fetch ${url}: ${messageOf(error)}. The coordinator was told that the run's tokens are served there.`,
      { cause: error },
    );
  }
  if (hash.digest('hex') !== file.sha256) throw otherFile(url, file);
}

function checked(file: DataFile, content: Uint8Array, where: string): Uint8Array {
  if (sha256(content) === file.sha256) return content;
  throw otherFile(where, file);
}

function otherFile(where: string, file: DataFile): MeanfieldError {
  return new MeanfieldError(`${where} is not the file ${file.name} that the run was started with: its sha256 differs.`);
}

/** @throws MeanfieldError when this machine does not allow what the run wants */
function requireAllowed({ source, files }: Wanted, { allowed }: FetchOptions): void {
  if (!allowed) return;
  const { dataFolders = [], dataHosts = [], maxDataBytes = MOST_DATA } = allowed;
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  if (bytes > maxDataBytes)
    throw spelledError(
      MeanfieldError,
      ({ option }) =>
        `The run's tokens take ${gigabytes(bytes)}, and this machine allows ${gigabytes(maxDataBytes)}. Allow more by ` +
        `${option('maxData')} if you trust who runs it.`,
    );
  if (source === 'send') return;
  if ('path' in source) {
    const inside = (folder: string) => {
      const way = relative(resolve(folder), resolve(source.path));
      return !way.startsWith('..') && !isAbsolute(way);
    };
    if (isAbsolute(source.path) && dataFolders.some(inside)) return;
    throw spelledError(
      MeanfieldError,
      ({ option }) =>
        `The run wants to read ${source.path} on this machine. Allow it by ${option('dataFolder')} and that folder, or ` +
        'one above it, if it is the one that you share with the run.',
    );
  }
  const { hostname } = new URL(source.http);
  if (dataHosts.includes(hostname)) return;
  throw spelledError(
    MeanfieldError,
    ({ option }) =>
      `The run's tokens lie at ${source.http}, which is no server of the invitation. Allow it by ` +
      `${option('dataHost', hostname)} if this machine may fetch from there.`,
  );
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(2)} GB`;
}
