import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { MeanfieldError } from '../../base/errors.js';
import { asWriteError } from '../../base/files/atomic.js';
import { processStart } from '../../base/files/process-identity.js';
import { bodyOf, causeOf, type HubClient } from './client.js';
import type { RemoteFile } from './wanted-files.js';

/** Tries in a row that bring nothing. */
const TRIES = 5;
/** Milliseconds after which another machine's unfinished file is taken for left behind. */
const LEFT_MS = 600_000;

/**
 * Fetches a file into the cache's folder of contents, under its hash, as huggingface_hub keeps it. Cut off, it goes on
 * where it was, also in a later process; it gets its name when all of it has come and has the hash that was promised.
 *
 * @param told called with the bytes that have come, and with less than nothing for those that must come again
 * @throws MeanfieldError when what comes is not what was promised, or the hub does not answer
 * @throws DOMException (AbortError) when stopped by the client's signal; what has come is kept
 */
export async function fetchFile(
  client: HubClient,
  url: string,
  file: RemoteFile,
  folder: string,
  told: (bytes: number) => void,
): Promise<void> {
  const path = join(folder, file.hash);
  const unfinished = await Unfinished.take(folder, file);
  try {
    told(unfinished.bytes);
    await complete(client, url, file, unfinished, told);
    await unfinished.finish(path);
  } catch (error) {
    throw asWriteError(error, path);
  } finally {
    await unfinished.release();
  }
}

async function complete(
  client: HubClient,
  url: string,
  file: RemoteFile,
  into: Unfinished,
  told: (bytes: number) => void,
): Promise<void> {
  let fresh = into.bytes === 0;
  for (let vain = 0; into.bytes < file.size; ) {
    const before = into.bytes;
    try {
      await append(client, url, file, into, told);
    } catch (error) {
      client.signal?.throwIfAborted();
      if (error instanceof MeanfieldError || (error as NodeJS.ErrnoException).syscall === 'write') throw error;
      vain = into.bytes > before ? 0 : vain + 1;
      if (vain === TRIES) throw cut(client, file, into.bytes, causeOf(error), error);
      await client.pause(2 ** vain);
      continue;
    }
    if (into.bytes === file.size) break;
    vain = into.bytes > before ? 0 : vain + 1;
    if (vain === TRIES) throw cut(client, file, into.bytes, 'it ends too early');
    await client.pause(2 ** vain);
  }
  if (into.digest() === file.hash) return;
  told(-into.bytes);
  await into.empty();
  // What an earlier process left may be damaged: once more, all of it.
  if (!fresh) {
    fresh = true;
    return complete(client, url, file, into, told);
  }
  throw new MeanfieldError(
    `${file.path} of ${client.name} is damaged: what came has another ${file.algorithm} than ${file.hash.slice(0, 12)}…, which the hub ` +
      'tells for it. It was thrown away. Try again; if that fails, whoever serves it, or a proxy on the way, changes it.',
  );
}

/** Takes what comes of a file from the place on where the unfinished one ends. */
async function append(
  client: HubClient,
  url: string,
  file: RemoteFile,
  into: Unfinished,
  told: (bytes: number) => void,
): Promise<void> {
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (into.bytes > 0) headers.range = `bytes=${into.bytes}-`;
  const response = await client.request(url, { headers });
  const from = response.status === 206 ? /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1] : '0';
  if (Number(from) !== into.bytes) {
    if (Number(from) !== 0) {
      await response.body?.cancel();
      throw new Error('it came from another place on');
    }
    // It does not know of parts.
    told(-into.bytes);
    await into.empty();
  }
  for await (const part of bodyOf(response)) {
    client.signal?.throwIfAborted();
    if (into.bytes + part.length > file.size) {
      await into.empty();
      throw new MeanfieldError(
        `${file.path} of ${client.name} is larger than the ${file.size} bytes that the hub tells for it.`,
      );
    }
    await into.append(part);
    told(part.length);
  }
}

function cut(client: HubClient, file: RemoteFile, bytes: number, why: string, cause?: unknown): MeanfieldError {
  return new MeanfieldError(
    `${file.path} of ${client.name} was cut off after ${bytes} of ${file.size} bytes (${why}). What has come is kept: try again.`,
    { cause },
  );
}

/** Names of unfinished files that this thread has open. */
const inWork = new Set<string>();
let count = 0;

/** A file of which a part has come; one process has it at a time. */
class Unfinished {
  bytes = 0;
  #hash: Hash;

  private constructor(
    private readonly file: RemoteFile,
    private readonly folder: string,
    private readonly name: string,
    private readonly handle: FileHandle,
  ) {
    this.#hash = startHash(file);
  }

  /** Takes over what an earlier process left of a file, else begins one. */
  static async take(folder: string, file: RemoteFile): Promise<Unfinished> {
    const own = `${file.hash}.${await mark(process.pid)}-${threadId}-${count++}.incomplete`;
    const path = join(folder, own);
    inWork.add(own);
    for (const name of await readdir(folder)) {
      if (!(await isLeft(folder, name, file.hash))) continue;
      // Of two that try, one succeeds.
      const taken = await rename(join(folder, name), path).then(
        () => true,
        () => false,
      );
      if (taken) break;
    }
    const unfinished = new Unfinished(file, folder, own, await open(path, 'a+'));
    await unfinished.#read();
    return unfinished;
  }

  async #read(): Promise<void> {
    const { size } = await this.handle.stat();
    if (size > this.file.size) return this.empty();
    for await (const part of this.handle.createReadStream({ start: 0, autoClose: false })) this.#hash.update(part);
    this.bytes = size;
  }

  async append(part: Uint8Array): Promise<void> {
    for (let done = 0; done < part.length; ) done += (await this.handle.write(part, done)).bytesWritten;
    this.#hash.update(part);
    this.bytes += part.length;
  }

  async empty(): Promise<void> {
    await this.handle.truncate(0);
    this.#hash = startHash(this.file);
    this.bytes = 0;
  }

  digest(): string {
    return this.#hash.copy().digest('hex');
  }

  /** Gives it its name. */
  async finish(path: string): Promise<void> {
    await this.handle.sync();
    await rename(join(this.folder, this.name), path);
  }

  /** Leaves it to others. */
  async release(): Promise<void> {
    await this.handle.close();
    inWork.delete(this.name);
    if (this.bytes === 0) await rm(join(this.folder, this.name), { force: true });
  }
}

function startHash({ algorithm, size }: RemoteFile): Hash {
  return algorithm === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
}

const brief = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8);

/** What tells a process from all others: its machine, its number, its start. */
async function mark(pid: number): Promise<string> {
  return `${brief(hostname())}-${pid}-${brief((await processStart(pid)) ?? '')}`;
}

/** Whether a file is unfinished and nobody is at work on it. */
async function isLeft(folder: string, name: string, hash: string): Promise<boolean> {
  const parts = /^([0-9a-f]+)\.(([0-9a-f]{8})-(\d+)-[0-9a-f]{8})-(\d+)-\d+\.incomplete$/.exec(name);
  if (!parts || parts[1] !== hash || inWork.has(name)) return false;
  const [, , whole, host, pid, thread] = parts;
  if (host !== brief(hostname())) {
    const found = await stat(join(folder, name)).catch(() => undefined);
    return found !== undefined && Date.now() - found.mtimeMs > LEFT_MS;
  }
  return whole !== (await mark(Number(pid))) || (Number(pid) === process.pid && Number(thread) === threadId);
}
