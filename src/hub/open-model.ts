import { findModelFolder } from './find-model.js';
import { type ModelFolder, readModelFolder } from './model-folder.js';
import { transformerFolder } from './sentence-folder.js';

/**
 * Opens what a user names as MODEL: a run, of which the best model is read, or a folder in Hugging Face's layout, with
 * its weights in one file or several. {@link ModelFolder.close} it after reading.
 *
 * @param check whether to compare our hashes, for which all weights are read
 * @throws MeanfieldError when there is no model by that name, or a file of it is missing or damaged
 */
export async function openModel(model: string, { check = true } = {}): Promise<ModelFolder> {
  return readModelFolder(await findModelFolder(await transformerFolder(model)), { check });
}
