import { lstat, open, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MeanfieldError, UsageError } from '../base/errors.js';
import { currentFolder } from '../base/files/folder-swap.js';
import { pathFault } from '../base/files/path-fault.js';
import { KNOWN_BY, knownFormat } from '../base/known-format.js';
import { isHubName } from './hub-cache.js';
import { otherWeights } from './other-weights.js';

/**
 * The folder of a model that a user names: itself, or the best of a run.
 *
 * @throws MeanfieldError saying what is there instead, and what to do
 * @throws UsageError when it is no text
 */
export async function findModelFolder(path: string): Promise<string> {
  if (typeof path !== 'string') {
    throw new UsageError(`A model is named by the path of its folder, a string; got ${typeof path}.`);
  }
  const best = join(path, 'model');
  for (const place of [path, best]) if (await isThere(join(place, 'config.json'))) return place;
  // Replaced in this moment.
  if ((await currentFolder(best)) !== undefined) return best;
  const now = await currentFolder(path);
  if (now !== undefined && (await isThere(join(now, 'config.json')))) return path;
  throw new MeanfieldError(await whyNone(path));
}

/** Why there is no model at a path, in whole sentences. */
export async function whyNone(path: string): Promise<string> {
  const shown = path.length > 160 ? `${path.slice(0, 120)}…${path.slice(-20)}` : path;
  const fault = await pathFault(path, 'folder');
  if (fault === undefined) return whatIsThere(path);
  if (fault === 'it is a file, not a folder') {
    const known = await formatOf(path);
    const what = known === undefined ? 'is a file' : `is ${known}. It is a file`;
    return `${shown} ${what}, and a model is named by its folder, with config.json and model.safetensors: ${dirname(path)}?`;
  }
  const hub =
    isHubName(path) && fault.startsWith('there is no')
      ? ` Nor is it in the Hugging Face hub's cache: meanfield pull ${path} brings it there.`
      : '';
  return `There is no model in ${shown}: ${fault}.${hub} Name a run's folder, or that of a model in Hugging Face's layout.`;
}

async function whatIsThere(folder: string): Promise<string> {
  const names = (await readdir(folder)).sort();
  const has = (name: string) => names.includes(name);
  if (has('run.json')) {
    return `There is no model in ${folder} yet: the run has not evaluated. Wait for that, or resume it.`;
  }
  if (has('snapshots')) {
    return `${folder} is a folder of Hugging Face's cache: name the one with config.json in ${join(folder, 'snapshots')}.`;
  }
  const other = has('model.safetensors') ? undefined : await otherWeights(folder);
  if (other !== undefined) return `${other} It lacks config.json, too.`;
  const few = names.slice(0, 5).join(', ') + (names.length > 5 ? ` and ${names.length - 5} more` : '');
  const found = names.length === 0 ? 'the folder is empty' : `it has no config.json, but ${few}`;
  return `There is no model in ${folder}: ${found}. Name a run's folder, or that of a model in Hugging Face's layout.`;
}

async function formatOf(path: string): Promise<string | undefined> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(KNOWN_BY), 0, KNOWN_BY, 0);
    return knownFormat(buffer.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}

/** Whether there is something by a name, even a link to nothing: who opens it says what is wrong with it. */
async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
