import { messageOf } from '../../base/errors.js';
import type { JsonObject } from '../../base/json.js';
import type { NamedWeights } from '../../hub/match-tensors.js';
import { isAdapterFolder, openModel } from '../../hub/open-model.js';
import { configNotices, refuseOthers, trainedFamilies } from '../../model/config-rules.js';
import { PublishedConfig, publishedFamilies, type SizeName } from '../../model/published.js';

/** A model as its `config.json` and the header of its weights tell it. */
export interface ModelDescription {
  /** Where the best so far lies; missing before the first evaluation. */
  readonly path?: string;
  readonly family: string;
  readonly parameters: number;
  /** Layers, width and the like, by our names. */
  readonly sizes: Readonly<Record<string, number>>;
}

/** A model, and what a user should know of its configuration. */
export interface DescribedModel {
  readonly model: ModelDescription;
  readonly notices: readonly string[];
}

/** Sizes by our names, and what they are called in `config.json` where its family is not known. */
const SIZES: readonly (readonly [name: string, size: SizeName, ...keys: string[]])[] = [
  ['layers', 'layers', 'num_hidden_layers', 'n_layer'],
  ['width', 'hidden', 'hidden_size', 'n_embd'],
  ['heads', 'heads', 'num_attention_heads', 'n_head'],
  ['kv heads', 'keyValueHeads', 'num_key_value_heads'],
  ['context', 'context', 'max_position_embeddings', 'n_positions'],
  ['vocabulary', 'vocabulary', 'vocab_size'],
];

/**
 * @param ours whether a run wrote it: then its weights are those of its configuration
 * @throws MeanfieldError when there is no model by that name, or a file of it is missing or damaged
 */
export async function readModelDescription(named: string, ours = false): Promise<DescribedModel> {
  const { path, config, weights, close } = await openModel(named, { check: false, adapters: true });
  let parameters = 0;
  for (const { shape } of weights.tensors.values()) parameters += shape.reduce((product, size) => product * size, 1);
  await close();
  const { model, notices } = describeModel(config, parameters);
  // An adapter's matrices are beside those of the configuration.
  const compared = ours || (await isAdapterFolder(path)) ? [] : await compare(config, weights);
  return { model: { path, ...model }, notices: [...new Set([...notices, ...compared])] };
}

/** Where weights are not those of a configuration whose family is known here. */
async function compare(config: JsonObject, weights: NamedWeights): Promise<readonly string[]> {
  const family = String(config.model_type);
  if (!trainedFamilies.includes(family)) return [];
  // Models are a large part of the program, which a run without weights has no use for.
  const [{ Model }, { matchTensors, unusedNotices }] = await Promise.all([
    import('../../model/model.js'),
    import('../../hub/match-tensors.js'),
  ]);
  try {
    const model = Model.fromConfig(config);
    return unusedNotices(weights, model, matchTensors(weights, model, new PublishedConfig(family, config)).unknown);
  } catch (error) {
    return [messageOf(error)];
  }
}

/** What a configuration tells; where its family is known, with the defaults of the published class. */
export function describeModel(config: JsonObject, parameters: number): DescribedModel {
  const family = String(config.model_type ?? 'unknown');
  if (!publishedFamilies.includes(family))
    return { model: { family, parameters, sizes: plainSizes(config) }, notices: [] };
  let read: PublishedConfig;
  try {
    read = new PublishedConfig(family, config);
  } catch (error) {
    return { model: { family, parameters, sizes: plainSizes(config) }, notices: [messageOf(error)] };
  }
  return { model: { family, parameters, sizes: publishedSizes(read) }, notices: noticesOf(read) };
}

function plainSizes(config: JsonObject): Record<string, number> {
  const sizes: Record<string, number> = {};
  for (const [name, , ...keys] of SIZES) {
    const size = keys.map((key) => config[key]).find((value) => typeof value === 'number');
    if (typeof size === 'number') sizes[name] = size;
  }
  return sizes;
}

function publishedSizes(config: PublishedConfig): Record<string, number> {
  const sizes: Record<string, number> = {};
  for (const [name, size] of SIZES) {
    const key = config.sizeKey(size);
    const value = key === undefined ? undefined : config.value(key);
    if (typeof value === 'number') sizes[name] = value;
    // Heads that share no keys and values have as many of them.
    else if (value === null && size === 'keyValueHeads' && sizes.heads !== undefined) sizes[name] = sizes.heads;
  }
  return sizes;
}

/** Why a model cannot be evaluated here, or what to know of it. */
function noticesOf(config: PublishedConfig): string[] {
  if (!trainedFamilies.includes(config.family)) return [];
  try {
    refuseOthers(config);
  } catch (error) {
    return [messageOf(error)];
  }
  return configNotices(config);
}
