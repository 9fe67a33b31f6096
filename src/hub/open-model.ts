import { exists } from '../base/files/exists.js';
import { findModelFolder } from './find-model.js';
import { isGguf } from './gguf/gguf-file.js';
import { openGguf } from './gguf/open-gguf.js';
import { cachedModel } from './hub-cache.js';
import { type ModelFolder, type ReadModelOptions, readModelFolder } from './model-folder.js';
import { transformerFolder } from './sentence-folder.js';

/**
 * Where what a user names as MODEL lies: a file or folder of that name, else `org/name` of the Hugging Face hub where its
 * cache has it.
 */
export async function placeOf(model: string): Promise<string> {
  if (typeof model !== 'string' || (await exists(model))) return model;
  return (await cachedModel(model)) ?? model;
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
  if (typeof place === 'string' && (await isGguf(place))) return openGguf(place);
  return readModelFolder(await findModelFolder(await transformerFolder(place)), options);
}
