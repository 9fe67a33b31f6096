import { MeanfieldError, UsageError } from '../base/errors.js';
import type { SafetensorsFile } from '../base/files/safetensors.js';
import type { JsonObject } from '../base/json.js';
import { parseTokenizer, type Tokenizer } from '../data/index.js';
import { configNotices, someNames } from '../model/config-rules.js';
import type { ParameterEntry } from '../model/layout.js';
import { Model } from '../model/model.js';
import { PublishedConfig } from '../model/published.js';
import { findModelFolder } from './find-model.js';
import { readModelFolder } from './model-folder.js';

/** A model in memory, with what it reads and writes text by. */
export interface LoadedModel {
  readonly model: Model;
  /** The model's vector, as its layout describes it. */
  readonly parameters: Float32Array;
  readonly tokenizer: Tokenizer;
  readonly generationConfig?: JsonObject;
  /** What the user should be told: keys and tensors that nothing here reads. */
  readonly notices: readonly string[];
}

/**
 * Loads the best model of a run, or a model folder in Hugging Face's layout, of a family that Meanfield knows.
 *
 * @param folder a run folder, whose `model/` is read, or a model folder
 * @throws MeanfieldError when a file is missing or damaged, or the weights are not those of the configuration
 * @throws UsageError for a configuration that no family can be
 */
export async function loadModel(folder: string): Promise<LoadedModel> {
  const opened = await readModelFolder(await findModelFolder(folder));
  try {
    const { meanfield_objective: own, model_type: type } = opened.config;
    if (own !== undefined)
      throw new UsageError(
        `${folder} holds a model of one's own, ${type}: it is no model of text, which alone can be loaded, evaluated or ` +
          `let write here. Its parameters are in ${opened.path}/model.safetensors, and its code in its own module.`,
      );
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
    const published = new PublishedConfig(model.architecture.name, opened.config);
    const parameters = new Float32Array(model.layout.size);
    for (const entry of model.layout.entries) await readParameter(opened.weights, entry, parameters, published);
    const { generationConfig } = opened;
    const notices = [...configNotices(published), ...unusedNotices(opened.weights, model)];
    return { model, parameters, tokenizer, ...(generationConfig && { generationConfig }), notices };
  } finally {
    await opened.close();
  }
}

/** A parameter's name in a file: those of a bare model, such as the published GPT-2, lack the part that the head is put on. */
function nameIn(weights: SafetensorsFile, { name }: ParameterEntry): string {
  const bare = name.replace(/^(transformer|model)\./, '');
  return !weights.tensors.has(name) && weights.tensors.has(bare) ? bare : name;
}

/** Masks and tables that older versions saved with the weights, and the copy of a tied head. */
const DERIVED = /(^|\.)(attn\.(masked_)?bias|rotary_emb\.inv_freq|lm_head\.weight)$/;

/** A bias or a norm that the configuration does not tell of would be left out in silence. */
function unusedNotices(weights: SafetensorsFile, model: Model): string[] {
  const used = new Set(model.layout.entries.map((entry) => nameIn(weights, entry)));
  const unused = [...weights.tensors.keys()].filter((name) => !used.has(name) && !DERIVED.test(name));
  if (unused.length === 0) return [];
  return [
    `${weights.path} has ${unused.length} tensors that a ${model.architecture.name} model of this configuration does not have: ` +
      `${someNames(unused)}. They are not used, so this may be another model than its config.json says.`,
  ];
}

async function readParameter(
  weights: SafetensorsFile,
  entry: ParameterEntry,
  into: Float32Array,
  config: PublishedConfig,
): Promise<void> {
  const name = nameIn(weights, entry);
  const { shape } = weights.info(name);
  if (shape.join() !== entry.shape.join()) {
    const leftOut = config.leftOut();
    const defaults = `It leaves out ${leftOut.join(', ')}, for which ${config.className}'s defaults stand. `;
    throw new MeanfieldError(
      `${weights.path}: tensor ${name} has shape [${shape.join(', ')}], but config.json asks for ` +
        `[${entry.shape.join(', ')}]. ${leftOut.length > 0 ? defaults : ''}They do not belong together.`,
    );
  }
  await weights.readFloat32(name, into.subarray(entry.offset, entry.offset + entry.size));
}
