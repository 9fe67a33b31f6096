import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { asWriteError, syncFolder } from './atomic.js';
import { exists } from './exists.js';
import { makeFolder } from './make-folder.js';

/**
 * Writes a whole folder so that it appears at once, in the place of an older one if there is one.
 *
 * It is filled as `NAME.tmp`, synced, and renamed. An older one is renamed to `NAME.old` just before and deleted just
 * after, since no file system replaces a full folder in one step. Killed between the two renames, `NAME` is missing and
 * `NAME.old` is whole: a reader takes that ({@link currentFolder}), the next writer puts it back ({@link repairFolder}).
 * One writer at a time: hold the run's lock.
 *
 * @param fill writes and syncs every file in the folder it is given
 * @throws MeanfieldError when the disk is full or not writable; the older folder is left as it was
 */
export async function writeFolderAtomic(folder: string, fill: (temporary: string) => Promise<void>): Promise<void> {
  const parent = dirname(folder);
  const temporary = `${folder}.tmp`;
  const old = `${folder}.old`;
  try {
    await makeFolder(parent);
    await repairFolder(folder);
    await mkdir(temporary);
    await fill(temporary);
    await syncFolder(temporary);
    if (await exists(folder)) await rename(folder, old);
    await rename(temporary, folder);
    await syncFolder(parent);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw asWriteError(error, folder);
  }
  await rm(old, { recursive: true, force: true });
}

/** Ends what a killed writer left: an older folder is put back where it is missing, unfinished ones are deleted. */
export async function repairFolder(folder: string): Promise<void> {
  const old = `${folder}.old`;
  if (!(await exists(folder)) && (await exists(old))) await rename(old, folder);
  await rm(old, { recursive: true, force: true });
  await rm(`${folder}.tmp`, { recursive: true, force: true });
}

/** For all of them to fail, a writer must write as many folders between them. */
const LOOKS = 8;

/** Where a folder can be read right now: in its place, or beside it where a writer was killed, or is, mid-way. */
export async function currentFolder(folder: string): Promise<string | undefined> {
  // At each moment one of the two is there, but a living writer may move on between any two looks.
  for (let look = 0; look < LOOKS; look++) {
    for (const place of [folder, `${folder}.old`]) if (await exists(place)) return place;
  }
  return undefined;
}

/** Deletes a folder that readers may look for: first its name goes, then its files. */
export async function removeFolder(folder: string): Promise<void> {
  const removed = `${folder}.tmp`;
  await rm(removed, { recursive: true, force: true });
  await rename(folder, removed);
  await rm(removed, { recursive: true, force: true });
}
