import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../../base/atomic.js';
import { MeanfieldError, messageOf } from '../../../base/errors.js';
import { sha256, sha256File } from '../../../base/hash.js';
import { makeFolder } from '../../../base/make-folder.js';
import type { BlobStore } from '../../transport.js';
import type { Configuration } from '../protocol/configuration.js';

type DataFile = Configuration['data']['files'][number];

/** Which files are wanted, and where to. */
export interface FetchOptions {
  readonly blobs: BlobStore;
  /** A folder for the tokens of all runs. */
  readonly cache: string;
  /** All files, not only those that training needs. */
  readonly all?: boolean;
  readonly onProgress?: (fraction: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Brings the run's tokens onto this machine, once: files that are in the cache and whole are not fetched again.
 *
 * @returns the folder where they lie, which is the shared one where the run has one
 * @throws MeanfieldError when a file cannot be had, or is not what its hash says
 */
export async function fetchData({ data, fingerprint }: Configuration, options: FetchOptions): Promise<string> {
  const files = data.files.filter((file) => options.all || file.training);
  const { source } = data;
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
      const content = source === 'send' ? await received(file, options) : await downloaded(source.http, file, options);
      await writeFileAtomic(path, content);
    }
    done += file.bytes;
    options.onProgress?.(done / Math.max(1, total));
  }
  return folder;
}

async function isWhole(path: string, { bytes, sha256: hash }: DataFile): Promise<boolean> {
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
  return checked(file, await blobs.get(file.blob, undefined, signal), file.blob.key);
}

async function downloaded(base: string, file: DataFile, { signal }: FetchOptions): Promise<Uint8Array> {
  const url = `${base.replace(/\/$/, '')}/${file.name}`;
  let content: Uint8Array;
  try {
    const response = await fetch(url, signal ? { signal } : {});
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    content = new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw new MeanfieldError(
      `Cannot fetch ${url}: ${messageOf(error)}. The coordinator was told that the run's tokens are served there.`,
      { cause: error },
    );
  }
  return checked(file, content, url);
}

function checked(file: DataFile, content: Uint8Array, where: string): Uint8Array {
  if (sha256(content) === file.sha256) return content;
  throw new MeanfieldError(`${where} is not the file ${file.name} that the run was started with: its sha256 differs.`);
}
