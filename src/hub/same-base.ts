import { realpath } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { findModelFolder } from './find-model.js';
import { cachedModel, parseHubName } from './hub-cache.js';

/**
 * Whether two names are of one model, as far as names tell: they lead to one folder, or end alike, as those of a model do
 * that was copied, or that the hub has as well. Nothing is fetched.
 *
 * @param named as an adapter's settings name its base
 * @param given as a user names a model: a folder, a run, a file, or `org/name` of the hub
 */
export async function isSameBase(named: string, given: string): Promise<boolean> {
  const [one, other] = [await folderOf(named), await folderOf(given)];
  return (one !== undefined && one === other) || lastName(named) === lastName(given);
}

async function folderOf(name: string): Promise<string | undefined> {
  try {
    return await realpath(await findModelFolder((await cachedModel(name)) ?? name));
  } catch {
    return undefined;
  }
}

/** The last part of a path or a hub's name; of a run's `model` that of the run. */
function lastName(name: string): string {
  const hub = parseHubName(name);
  if (hub) return hub.name.toLowerCase();
  const path = resolve(name);
  return basename(basename(path) === 'model' ? dirname(path) : path).toLowerCase();
}
