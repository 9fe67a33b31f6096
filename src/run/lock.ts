import { randomUUID } from 'node:crypto';
import { link, open, readFile, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { MeanfieldError } from '../base/errors.js';
import { asWriteError, writeFileSynced } from '../base/files/atomic.js';
import { makeFolder } from '../base/files/make-folder.js';
import { processStart } from '../base/files/process-identity.js';
import { sha256 } from '../base/hash.js';
import { isJsonObject, jsonText } from '../base/json.js';
import { spelledError } from '../base/spelling.js';

/** A folder that this process alone writes until {@link Lock.release}. */
export interface Lock {
  /** What the user should hear: that the lock of a dead process, or by force of another, was taken over. */
  readonly notice?: string;
  /** Gives the folder back. A process that dies without it leaves a lock that the next one takes over. */
  release(): Promise<void>;
}

/** How {@link acquireLock} treats a lock that is there. */
export interface LockOptions {
  /** Take a lock of another host, or an unreadable one, where no one can see whether its process lives. */
  readonly force?: boolean;
}

/**
 * Takes the file `lock` of a folder, which is made if missing.
 *
 * No two processes hold it at once, whenever they come or are killed: `lock` is created exclusively; a stale one is
 * taken over by creating, again exclusively, the *claim* `lock.<hash of the stale content>`, and renaming it onto `lock`.
 * A claim whose process died is itself claimed in the same way. Contents are unique, so a hash never comes back.
 *
 * @throws MeanfieldError when a living process holds it, or one of another host and `force` is not set
 */
export async function acquireLock(folder: string, options: LockOptions = {}): Promise<Lock> {
  const nonce = randomUUID();
  const me = { host: hostname(), pid: process.pid, started: (await processStart(process.pid)) ?? 'unknown', nonce };
  const content = jsonText(me);
  const temporary = join(folder, `lock.${nonce}.tmp`);
  try {
    await makeFolder(folder);
    await writeFileSynced(temporary, content);
    for (;;) {
      const chain = await readChain(folder);
      const stale = chain.at(-1);
      const notice = stale && (await takeOverNotice(folder, stale, options));
      const place = stale ? claimOf(folder, stale) : join(folder, 'lock');
      if (!(await createExclusively(temporary, place, content))) continue;
      if (stale) {
        const now = await readChain(folder);
        const asExpected = [...chain.map(({ id }) => id), sha256(content)].join();
        if (now.map(({ id }) => id).join() !== asExpected) {
          // Someone was faster and the lock is no longer the one we claimed.
          await rm(place, { force: true });
          continue;
        }
        await rename(place, join(folder, 'lock'));
        for (const owner of chain) await rm(claimOf(folder, owner), { force: true });
      }
      return { ...(notice !== undefined && { notice }), release: () => release(folder, content) };
    }
  } catch (error) {
    throw asWriteError(error, join(folder, 'lock'));
  } finally {
    await rm(temporary, { force: true }).catch(() => {});
  }
}

/** One lock or claim file. */
interface Owner {
  /** Hash of the content. */
  readonly id: string;
  readonly host?: string;
  readonly pid?: number;
  readonly started?: string;
}

const claimOf = (folder: string, owner: Owner) => join(folder, `lock.${owner.id.slice(0, 16)}`);

/** The lock, the claim on it, the claim on that one: the last is who holds the folder. */
async function readChain(folder: string): Promise<Owner[]> {
  const chain: Owner[] = [];
  for (let path = join(folder, 'lock'); ; path = claimOf(folder, chain.at(-1)!)) {
    const owner = await readOwner(path);
    if (owner === undefined) return chain;
    chain.push(owner);
  }
}

async function readOwner(path: string): Promise<Owner | undefined> {
  let content: string;
  try {
    content = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const id = sha256(content);
  try {
    const value: unknown = JSON.parse(content);
    if (!isJsonObject(value)) return { id };
    const { host, pid, started } = value;
    if (typeof host !== 'string' || typeof pid !== 'number' || typeof started !== 'string') return { id };
    return { id, host, pid, started };
  } catch {
    return { id };
  }
}

/** Why the lock may be taken, or an error that says why not. */
async function takeOverNotice(folder: string, owner: Owner, { force }: LockOptions): Promise<string> {
  const { host, pid, started } = owner;
  if (host === undefined || pid === undefined) {
    if (force) return `Took over ${folder} by force: its lock was unreadable.`;
    throw spelledError(
      MeanfieldError,
      ({ option }) =>
        `${folder} may be in use: its lock is unreadable. If no process uses it, repeat with ${option('force', true)}.`,
    );
  }
  if (host !== hostname()) {
    if (force) return `Took over ${folder} by force from process ${pid} on ${host}.`;
    throw spelledError(
      MeanfieldError,
      ({ option }) =>
        `${folder} is in use by process ${pid} on ${host}, and from ${hostname()} no one can see whether it still ` +
        `runs. If it does not, repeat with ${option('force', true)}.`,
    );
  }
  if ((await processStart(pid)) !== started) {
    return `Took over ${folder} from process ${pid}, which ended without releasing it.`;
  }
  throw spelledError(
    MeanfieldError,
    ({ option }) =>
      `${folder} is in use by process ${pid} on this machine. Wait for it, stop it, or choose another ${option('run')}.`,
  );
}

/** Creates a file with its whole content at once; false when it exists already. */
async function createExclusively(temporary: string, path: string, content: string): Promise<boolean> {
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    // Some network and memory-card file systems have no links.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS' && code !== 'EOPNOTSUPP') throw error;
  }
  try {
    const file = await open(path, 'wx');
    await file.writeFile(content);
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function release(folder: string, content: string): Promise<void> {
  const path = join(folder, 'lock');
  // After a forced takeover the lock is another's.
  if ((await readOwner(path))?.id === sha256(content)) await rm(path, { force: true });
}
