import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { MeanfieldError } from '../base/errors.js';
import { asWriteError, syncFolder } from '../base/files/atomic.js';
import { exists } from '../base/files/exists.js';
import { readJsonFile } from '../base/files/json-file.js';
import { makeFolder } from '../base/files/make-folder.js';
import { sha256 } from '../base/hash.js';
import { isJsonObject } from '../base/json.js';
import { spelledError } from '../base/spelling.js';
import { HASHES } from '../hub/model-files.js';

/** In `meanfield.json` of a folder: that it is an export, which another may replace. */
export const MARK = 'export';

/** Where a model goes that is not told: its own name and the form's, in the folder at hand. */
export function placeFor(model: string, to: string, ending: string | undefined): string {
  const name = basename(resolve(model.replace(/(?<=\/[^/]+)@[^@]*$/, ''))).replace(/\.gguf$/, '') || 'model';
  return ending === undefined ? `${name}-${to}` : `${name}${ending}`;
}

/**
 * Refuses a place that holds what is no earlier export.
 *
 * @param file whether one file is to be written there
 * @throws MeanfieldError saying what is there
 */
export async function requireFree(place: string, file: boolean): Promise<void> {
  const found = (await exists(place)) && (await whatIsThere(place, file));
  if (!found) return;
  throw spelledError(
    MeanfieldError,
    ({ option }) => `${place} ${found}, which is not replaced. Choose another ${option('out')}, or remove it.`,
  );
}

async function whatIsThere(place: string, file: boolean): Promise<string | undefined> {
  const names = await readdir(place).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (file)
    return names === undefined ? 'is a file that is there already' : 'is a folder, where a file is to be written';
  if (names === undefined) return 'is a file, where a folder is to be written';
  if (names.length === 0) return undefined;
  const mark = names.includes(HASHES) && (await readJsonFile(join(place, HASHES), '').catch(() => undefined));
  if (isJsonObject(mark) && mark[MARK] !== undefined) return undefined;
  const few = names.sort().slice(0, 3).join(', ') + (names.length > 3 ? ` and ${names.length - 3} more` : '');
  return `holds something that is no earlier export (${few})`;
}

/** What this machine and this process are called in the names of what they write. */
const HOST = sha256(hostname()).slice(0, 8);
const LEFT = new RegExp(`^\\.${HOST}-(\\d+)-[0-9a-f]{8}\\.tmp(\\.old)?$`);

/**
 * Ends what exports to a place left that were killed on this machine: an earlier export is put back where it is missing,
 * unfinished ones are deleted. What a living process writes stays.
 */
async function clearLeft(place: string): Promise<void> {
  const names = await readdir(dirname(place)).catch(() => []);
  for (const name of names) {
    const [, pid, old] = (name.startsWith(basename(place)) && LEFT.exec(name.slice(basename(place).length))) || [];
    if (pid === undefined || isAlive(Number(pid))) continue;
    const left = join(dirname(place), name);
    if (old !== undefined && !(await exists(place))) await rename(left, place);
    else await rm(left, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/**
 * Writes a folder or a file under another name, and puts it in its place when it is whole. An earlier one stays until
 * then: killed at the worst moment, between two renames, it has the other name's ending `.old`, and the next export to
 * the place puts it back first.
 *
 * @throws MeanfieldError when the disk is full or not writable; what was there is left as it was
 */
export async function writeInPlace<T>(place: string, file: boolean, write: (path: string) => Promise<T>): Promise<T> {
  // Of its own: beside it may lie whatever a user has put there.
  const temporary = `${resolve(place)}.${HOST}-${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  const old = `${temporary}.old`;
  try {
    await makeFolder(dirname(temporary));
    await clearLeft(resolve(place));
    if (!file) await mkdir(temporary);
    const written = await write(temporary);
    if (!file) await syncFolder(temporary);
    if (await exists(place)) await rename(place, old);
    await rename(temporary, place).catch(async (error) => {
      await rename(old, place).catch(() => {});
      throw error;
    });
    await syncFolder(dirname(temporary));
    await rm(old, { recursive: true, force: true });
    return written;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw asWriteError(error, place);
  }
}
