import type { LanguageModel } from './language-model.js';
import type { LoadOptions } from './options.js';
import type { Use } from './streamed/need.js';

/**
 * Loads a model: the best of a run, a folder in Hugging Face's layout, a GGUF file, or `org/name` of the hub.
 *
 * @param run the run's folder, or the model's
 * @throws MeanfieldError when there is no model or a file of it is damaged
 * @throws UsageError for an option that is not allowed
 *
 * @example
 * import { load } from 'meanfield';
 *
 * const model = await load('runs/book');
 * console.log(await model.generate({ prompt: 'Once' }).result());
 * await model.close();
 *
 * @category Using a model
 */
export async function load(run: string, options: LoadOptions = {}): Promise<LanguageModel> {
  return loadFor({}, run, options);
}

/** {@link load}, where it is known what for: what else a model may be used for needs no room then. */
export async function loadFor(use: Use, run: string, options: LoadOptions = {}): Promise<LanguageModel> {
  // Loaded when it is needed: it brings the engine.
  const { LanguageModel } = await import('./language-model.js');
  return LanguageModel.load(run, options, use);
}
