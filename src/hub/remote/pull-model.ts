import { createReadStream } from 'node:fs';
import { readFile, rm, statfs, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { listFiles, modelInfo } from '@huggingface/hub';
import { MeanfieldError, messageOf, UsageError } from '../../base/errors.js';
import { asWriteError, writeFileAtomic } from '../../base/files/atomic.js';
import { exists } from '../../base/files/exists.js';
import { parseJsonFile } from '../../base/files/json-file.js';
import { makeFolder } from '../../base/files/make-folder.js';
import type { JsonValue } from '../../base/json.js';
import { printableLine } from '../../base/printable.js';
import { cacheFolder, type HubName, isCommit, parseHubName } from '../hub-cache.js';
import { MODULES } from '../sentence-folder.js';
import { type ClientOptions, HubClient } from './client.js';
import { fetchFile } from './fetch-file.js';
import { hubSettings, isOffline } from './settings.js';
import { describingFiles, moduleFiles, type RemoteFile, weightFiles } from './wanted-files.js';

/** What may go on beside a download. */
export interface PullOptions extends ClientOptions {
  /** Called as bytes come: those that are there, of all that are known to be needed. */
  readonly progress?: ((progress: PullProgress) => void) | undefined;
  /** In place of the process's own. */
  readonly environment?: NodeJS.ProcessEnv | undefined;
  /** Bytes that a folder's disk has free; by default as the system says. */
  readonly free?: ((folder: string) => Promise<number>) | undefined;
}

/** How far a download is. */
export interface PullProgress {
  readonly file: string;
  readonly bytes: number;
  readonly ofBytes: number;
}

/** A model that is in the cache. */
export interface PulledModel {
  /** `org/name` */
  readonly model: string;
  readonly commit: string;
  /** Its snapshot. */
  readonly path: string;
  /** Below the snapshot. */
  readonly files: readonly string[];
  /** Of all files. */
  readonly bytes: number;
}

/** More files than a model's repository has. */
const MOST_FILES = 50_000;
/** Bytes that are left free for others. */
const SPARE = 64 * 2 ** 20;

/**
 * Brings a model of the Hugging Face hub into the cache, in huggingface_hub's own layout, so that its programs find it:
 * `blobs/HASH`, `snapshots/COMMIT/NAME` that link there, `refs/REVISION` with the commit. What is there already is not
 * fetched again; what was cut off goes on. Of its files only those that a model needs, and never pickles.
 *
 * @param model `org/name` or `org/name@revision`
 * @throws UsageError when that is no name of the hub
 * @throws MeanfieldError when the hub refuses or does not answer, a file is not what was promised, or the disk is too full
 * @throws DOMException (AbortError) when stopped by the signal; what has come is kept
 */
export async function pullModel(model: string, options: PullOptions = {}): Promise<PulledModel> {
  const name = parseHubName(model);
  if (name === undefined)
    throw new UsageError(
      `${JSON.stringify(model)} is no name of a model of the hub: expected org/name or org/name@revision.`,
    );
  if (isOffline(options.environment))
    throw new MeanfieldError(
      `Cannot fetch ${model}: HF_HUB_OFFLINE is set. Take it from the environment, or bring it yourself.`,
    );
  const settings = await hubSettings(options.environment);
  const client = new HubClient(settings, `${name.org}/${name.name}`, options);
  const { commit, files } = await listOf(client, name.revision).catch((error: unknown) => {
    if (error instanceof MeanfieldError || options.signal?.aborted) throw error;
    throw odd(client, `what cannot be read (${messageOf(error).slice(0, 200)})`, error);
  });
  return new Pull(client, name, commit, options).run(files);
}

async function listOf(client: HubClient, revision: string) {
  const commit = await commitOf(client, revision);
  return { commit, files: await filesOf(client, commit) };
}

async function commitOf(client: HubClient, revision: string): Promise<string> {
  const { name, settings, fetch } = client;
  const { sha } = await modelInfo({ name, revision, additionalFields: ['sha'], hubUrl: settings.endpoint, fetch });
  if (!isCommit(sha)) throw odd(client, `${JSON.stringify(sha)?.slice(0, 60)} for the commit of ${revision}`);
  return sha;
}

async function filesOf(client: HubClient, commit: string): Promise<ReadonlyMap<string, RemoteFile>> {
  const { name, settings, fetch } = client;
  const files = new Map<string, RemoteFile>();
  let pages = 0;
  const paged: typeof globalThis.fetch = (...request) => {
    if (++pages > MOST_FILES / 100) throw odd(client, 'a list of files that does not end');
    return fetch(...request);
  };
  const repo = { type: 'model', name } as const;
  const list = listFiles({ repo, recursive: true, revision: commit, hubUrl: settings.endpoint, fetch: paged });
  for await (const { type, path, size, oid, lfs } of list) {
    if (type !== 'file' || typeof path !== 'string') continue;
    if (files.size >= MOST_FILES) throw odd(client, `more than ${MOST_FILES} files`);
    files.set(path, {
      path,
      size: lfs?.size ?? size,
      hash: lfs?.oid ?? oid ?? '',
      algorithm: lfs ? 'sha256' : 'git-sha1',
    });
  }
  return files;
}

function odd({ settings }: HubClient, what: string, cause?: unknown): MeanfieldError {
  return new MeanfieldError(
    `${settings.endpoint} answers with ${printableLine(what)}, which no hub does. Check HF_ENDPOINT, and proxies on the way.`,
    { cause },
  );
}

/** A download at work. */
class Pull {
  readonly #blobs: string;
  readonly #snapshot: string;
  readonly #folder: string;
  readonly #files: RemoteFile[] = [];
  #bytes = 0;

  constructor(
    private readonly client: HubClient,
    private readonly name: HubName,
    private readonly commit: string,
    private readonly options: PullOptions,
  ) {
    this.#folder = cacheFolder(name, client.settings.cache);
    this.#blobs = join(this.#folder, 'blobs');
    this.#snapshot = join(this.#folder, 'snapshots', commit);
  }

  async run(files: ReadonlyMap<string, RemoteFile>): Promise<PulledModel> {
    await makeFolder(this.#blobs);
    await makeFolder(this.#snapshot);
    await this.#bring(describingFiles(files));
    const modules = files.has(MODULES) ? await this.#json(MODULES) : undefined;
    await this.#bring(moduleFiles(files, modules));
    // Last: who sees them may read the model.
    await this.#bring(await weightFiles(this.client.name, files, modules, (path) => this.#json(path)));
    const { revision } = this.name;
    if (revision !== this.commit)
      await writeFileAtomic(join(this.#folder, 'refs', ...revision.split('/')), this.commit);
    return {
      model: this.client.name,
      commit: this.commit,
      path: this.#snapshot,
      files: this.#files.map(({ path }) => path).sort(),
      bytes: this.#bytes,
    };
  }

  async #bring(files: readonly RemoteFile[]): Promise<void> {
    for (const file of files) this.#check(file);
    this.#files.push(...files);
    await this.#requireRoom(files);
    for (const file of files) await this.#one(file);
  }

  /** What becomes a name or a length here must be one. */
  #check({ path, hash, size, algorithm }: RemoteFile): void {
    const right = algorithm === 'sha256' ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/;
    if (!right.test(hash))
      throw odd(this.client, `${JSON.stringify(hash).slice(0, 80)} for the hash of ${path.slice(0, 100)}`);
    if (!Number.isSafeInteger(size) || size < 0)
      throw odd(this.client, `${String(size).slice(0, 40)} for the size of ${path.slice(0, 100)}`);
  }

  async #requireRoom(files: readonly RemoteFile[]): Promise<void> {
    let missing = 0;
    for (const { hash, size } of files) if (!(await exists(join(this.#blobs, hash)))) missing += size;
    const free = await (this.options.free ?? freeBytes)(this.#blobs);
    if (missing === 0 || missing + SPARE <= free) return;
    const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(bytes < 1e9 ? 3 : 1)} GB`;
    throw new MeanfieldError(
      `${this.client.name} needs ${gigabytes(missing)} more, and ${this.client.settings.cache} has ${gigabytes(free)} free. ` +
        'Free some space, or name another folder in HF_HUB_CACHE.',
    );
  }

  async #one(file: RemoteFile): Promise<void> {
    const { settings, name } = this.client;
    const path = file.path.split('/').map(encodeURIComponent).join('/');
    const told = (bytes: number) => {
      this.#bytes += bytes;
      const ofBytes = this.#files.reduce((sum, { size }) => sum + size, 0);
      this.options.progress?.({ file: file.path, bytes: this.#bytes, ofBytes });
    };
    if (await exists(join(this.#blobs, file.hash))) told(file.size);
    else
      await fetchFile(
        this.client,
        `${settings.endpoint}/${name}/resolve/${this.commit}/${path}`,
        file,
        this.#blobs,
        told,
      );
    await this.#link(file);
  }

  async #link({ path, hash }: RemoteFile): Promise<void> {
    const place = join(this.#snapshot, ...path.split('/'));
    await makeFolder(dirname(place));
    const target = join(this.#blobs, hash);
    // It is there; or leads nowhere, where contents were deleted.
    if (await exists(place)) return;
    await rm(place, { force: true });
    try {
      await symlink(relative(dirname(place), target), place);
    } catch (error) {
      // Another process was faster.
      if (await exists(place)) return;
      if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw asWriteError(error, place);
      // Windows makes no links for everybody.
      await writeFileAtomic(place, createReadStream(target));
    }
  }

  async #json(path: string): Promise<JsonValue> {
    const place = join(this.#snapshot, ...path.split('/'));
    return parseJsonFile(await readFile(place), `${this.client.name}: ${path}`, 'It is damaged on the hub.');
  }
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
