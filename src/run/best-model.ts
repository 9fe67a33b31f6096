import type { JsonObject } from '../base/json.js';
import type { Tokenizer } from '../data/index.js';
import { type WeightsFile, writeModelFolder } from '../hub/model-folder.js';
import type { AdapterContent } from '../hub/peft.js';
import type { Model } from '../model/model.js';
import { modelTensors } from './model-tensors.js';
import type { RunSource } from './source.js';

/**
 * Writes the run's `model/` in Hugging Face's layout, with what Python's `generate` needs to know where a text ends.
 *
 * @param weights all of the model's parameters, frozen ones too, a file of them, or the adapter that stands in their place
 * @param chat of a model of conversations: its tokenizer's files with its template, and the token that ends a turn
 * @param source what the model that the run started from has to say of that, and its tokenizer's files
 */
export async function writeBestModel(
  folder: string,
  model: Model,
  tokenizer: Tokenizer,
  weights: Float32Array | AdapterContent | WeightsFile,
  source?: Pick<RunSource, 'generationConfig' | 'tokenizerFiles'>,
  chat?: { readonly files: Readonly<Record<string, string>>; readonly end: number | undefined },
): Promise<void> {
  const tensors = weights instanceof Float32Array ? modelTensors(model.layout, weights) : weights;
  if (source !== undefined) {
    const { dtype: _dtype, ...config } = model.config as JsonObject;
    const ends = generationEnds([chat?.end, (source.generationConfig ?? config).eos_token_id]);
    await writeModelFolder(folder, {
      ...source,
      ...(chat?.end !== undefined && { generationConfig: { ...source.generationConfig, eos_token_id: ends } }),
      config: { ...config, torch_dtype: 'float32' },
      tensors,
      tokenizerFiles: { ...source.tokenizerFiles, ...chat?.files },
    });
    return;
  }
  // Without these keys transformers takes those of the published GPT-2, which may lie outside this vocabulary.
  const { endOfText = null } = tokenizer;
  // What is written beside a source begins with a token, which the end of a text serves as.
  const start = model.architecture.encoder && { decoder_start_token_id: endOfText, pad_token_id: endOfText };
  const ends = { bos_token_id: endOfText, eos_token_id: generationEnds([chat?.end, endOfText]), ...start };
  await writeModelFolder(folder, {
    config: JSON.parse(JSON.stringify({ ...(model.config as object), ...ends })),
    generationConfig: { ...ends, max_length: model.dimensions.context },
    tensors,
    tokenizerFiles: { ...tokenizer.files(), ...chat?.files },
  });
}

/** The tokens that end what is written, as `eos_token_id` names them: none, one, or several. */
function generationEnds(ends: readonly unknown[]): number | number[] | null {
  const ids = [...new Set(ends.flat())].filter((id): id is number => typeof id === 'number');
  return ids.length > 1 ? ids : (ids[0] ?? null);
}
