import type { JsonObject } from '../base/json.js';
import type { Tokenizer } from '../data/index.js';
import { writeModelFolder } from '../hub/model-folder.js';
import type { Model } from '../model/model.js';
import { modelTensors } from './model-tensors.js';
import type { RunSource } from './source.js';

/**
 * Writes the run's `model/` in Hugging Face's layout, with what Python's `generate` needs to know where a text ends.
 *
 * @param parameters all of the model's, frozen ones too
 * @param source what the model that the run started from has to say of that, and its tokenizer's files
 */
export async function writeBestModel(
  folder: string,
  model: Model,
  tokenizer: Tokenizer,
  parameters: Float32Array,
  source?: Pick<RunSource, 'generationConfig' | 'tokenizerFiles'>,
): Promise<void> {
  const tensors = modelTensors(model.layout, parameters);
  if (source !== undefined) {
    const { dtype: _dtype, ...config } = model.config as JsonObject;
    await writeModelFolder(folder, { ...source, config: { ...config, torch_dtype: 'float32' }, tensors });
    return;
  }
  // Without these keys transformers takes those of the published GPT-2, which may lie outside this vocabulary.
  const ends = { bos_token_id: tokenizer.endOfText ?? null, eos_token_id: tokenizer.endOfText ?? null };
  await writeModelFolder(folder, {
    config: JSON.parse(JSON.stringify({ ...(model.config as object), ...ends })),
    generationConfig: { ...ends, max_length: model.dimensions.context },
    tensors,
    tokenizerFiles: { ...tokenizer.files() },
  });
}
