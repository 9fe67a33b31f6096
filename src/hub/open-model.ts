import { findModelFolder } from './find-model.js';
import { type ModelFolder, type ReadModelOptions, readModelFolder } from './model-folder.js';
import { transformerFolder } from './sentence-folder.js';

/**
 * Opens what a user names as MODEL: a run, of which the best model is read, or a folder in Hugging Face's layout, with
 * its weights in one file or several. {@link ModelFolder.close} it after reading.
 *
 * @throws MeanfieldError when there is no model by that name, or a file of it is missing or damaged
 */
export async function openModel(model: string, options: ReadModelOptions = {}): Promise<ModelFolder> {
  return readModelFolder(await findModelFolder(await transformerFolder(model)), options);
}
