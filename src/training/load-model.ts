import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MeanfieldError } from '../base/errors.js';
import type { JsonObject } from '../base/json.js';
import type { SafetensorsFile } from '../base/safetensors.js';
import { parseTokenizer, type Tokenizer } from '../data/index.js';
import type { ParameterEntry } from '../model/layout.js';
import { Model } from '../model/model.js';
import { readModelFolder } from './model-folder.js';

/** A model in memory, with what it reads and writes text by. */
export interface LoadedModel {
  readonly model: Model;
  /** The model's vector, as its layout describes it. */
  readonly parameters: Float32Array;
  readonly tokenizer: Tokenizer;
  readonly generationConfig?: JsonObject;
}

/**
 * Loads the best model of a run, or a model folder in Hugging Face's layout, of a family that Meanfield knows.
 *
 * @param folder a run folder, whose `model/` is read, or a model folder
 * @throws MeanfieldError when a file is missing or damaged, or the weights are not those of the configuration
 * @throws UsageError for a configuration that no family can be
 */
export async function loadModel(folder: string): Promise<LoadedModel> {
  const isModel = await exists(join(folder, 'config.json'));
  const opened = await readModelFolder(isModel ? folder : join(folder, 'model'));
  try {
    const model = Model.fromConfig(opened.config);
    const json = opened.tokenizerFiles['tokenizer.json'];
    if (json === undefined) {
      throw new MeanfieldError(
        `${opened.path} has no tokenizer.json. Save it in Python: AutoTokenizer.from_pretrained(…).save_pretrained(folder).`,
      );
    }
    const config = opened.tokenizerFiles['tokenizer_config.json'] ?? '{}';
    const files = { 'tokenizer.json': json, 'tokenizer_config.json': config };
    const tokenizer = await parseTokenizer(files, opened.path);
    const parameters = new Float32Array(model.layout.size);
    for (const entry of model.layout.entries) await readParameter(opened.weights, entry, parameters);
    const { generationConfig } = opened;
    return { model, parameters, tokenizer, ...(generationConfig && { generationConfig }) };
  } finally {
    await opened.close();
  }
}

async function readParameter(weights: SafetensorsFile, entry: ParameterEntry, into: Float32Array): Promise<void> {
  // Files of a bare model, such as the published GPT-2, lack the name of the part that the head is put on.
  const bare = entry.name.replace(/^(transformer|model)\./, '');
  const name = !weights.tensors.has(entry.name) && weights.tensors.has(bare) ? bare : entry.name;
  const { shape } = weights.info(name);
  if (shape.join() !== entry.shape.join()) {
    throw new MeanfieldError(
      `${weights.path}: tensor ${name} has shape [${shape.join(', ')}], but config.json asks for ` +
        `[${entry.shape.join(', ')}]. They do not belong together.`,
    );
  }
  await weights.readFloat32(name, into.subarray(entry.offset, entry.offset + entry.size));
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
