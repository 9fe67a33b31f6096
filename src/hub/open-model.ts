import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MeanfieldError } from '../base/errors.js';
import { exists } from '../base/files/exists.js';
import { parseJsonFile } from '../base/files/json-file.js';
import { pathFault } from '../base/files/path-fault.js';
import { findModelFolder } from './find-model.js';
import { isGguf } from './gguf/gguf-file.js';
import { cachedModel, parseHubName } from './hub-cache.js';
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS, SHARD_INDEX, WEIGHTS } from './model-files.js';
import { type ModelFolder, type ReadModelOptions, readModelFolder } from './model-folder.js';
import type { PullOptions } from './remote/pull-model.js';
import { isOffline } from './remote/settings.js';
import { transformerFolder } from './sentence-folder.js';
import { parseShardMap, SHARD_ADVICE } from './sharded-weights.js';

/**
 * Where what a user names as MODEL lies: a file or folder of that name, else `org/name` of the Hugging Face hub, in its
 * cache. What the cache does not have is fetched, unless `HF_HUB_OFFLINE` is set or a folder `org` is at hand, where the
 * name may be meant for a path.
 *
 * @throws MeanfieldError when it cannot be fetched
 */
export async function placeOf(model: string, options: PullOptions = {}): Promise<string> {
  if (typeof model !== 'string' || (await exists(model))) return model;
  const cached = await cachedModel(model);
  if (cached !== undefined && (await hasWeights(cached))) return cached;
  const name = parseHubName(model);
  if (name === undefined || isOffline() || (await exists(name.org))) return cached ?? model;
  const { pullModel } = await import('./remote/pull-model.js');
  try {
    return (await pullModel(model, options)).path;
  } catch (error) {
    if (!(error instanceof MeanfieldError)) throw error;
    throw new MeanfieldError(`There is no ${model} here, nor in the hub's cache. ${error.message}`, { cause: error });
  }
}

/** Whether a snapshot of the cache has all files of its weights; where it cannot be told, whoever reads it tells why. */
async function hasWeights(snapshot: string): Promise<boolean> {
  const place = await transformerFolder(snapshot).catch(() => snapshot);
  for (const name of [WEIGHTS, ADAPTER_WEIGHTS]) if (await exists(join(place, name))) return true;
  const index = join(place, SHARD_INDEX);
  try {
    const map = parseShardMap(parseJsonFile(await readFile(index), index, SHARD_ADVICE), index);
    for (const name of new Set(map.values())) if (!(await exists(join(place, name)))) return false;
    return true;
  } catch {
    return false;
  }
}

/**
 * Opens what a user names as MODEL: a run, of which the best model is read, or a folder in Hugging Face's layout, with
 * its weights in one file or several; also `org/name` of the hub's cache, and a GGUF file. {@link ModelFolder.close} it
 * after reading.
 *
 * @throws MeanfieldError when there is no model by that name, or a file of it is missing or damaged
 */
export async function openModel(model: string, options: ReadModelOptions = {}): Promise<ModelFolder> {
  const place = await placeOf(model);
  if (typeof place === 'string' && (await isGguf(place))) return (await import('./gguf/open-gguf.js')).openGguf(place);
  return readModelFolder(await findModelFolder(await transformerFolder(place)), options);
}

/** Whether a folder holds an adapter. */
export async function isAdapterFolder(folder: string): Promise<boolean> {
  return (await pathFault(join(folder, ADAPTER_CONFIG), 'file')) === undefined;
}

/** Where the adapter lies that a user names as MODEL: its folder, or that of a run's; undefined where it is none. */
export async function adapterPlace(model: string): Promise<string | undefined> {
  const place = await placeOf(model);
  for (const one of [place, join(place, 'model')]) if (await isAdapterFolder(one)) return one;
  return undefined;
}
