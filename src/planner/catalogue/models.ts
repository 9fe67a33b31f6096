import { UsageError } from '../../base/errors.js';
import type { JsonValue } from '../../base/json.js';
import { nearestNames, plain } from '../../base/nearest.js';
import { findPreset, presetNames } from '../../model/presets.js';
import type { Workload } from '../types.js';
import { readModelConfig } from './model-config.js';
import table from './models.json' with { type: 'json' };
import { toWorkload } from './shape.js';

interface CatalogueModel {
  /** In Hugging Face's keys. */
  readonly config: JsonValue;
  /** What its makers say. */
  readonly published: { readonly parameters: number; readonly exact: boolean; readonly where: string };
  readonly aliases: readonly string[];
  readonly crossAttentionLayers?: number;
  readonly stacks?: number;
}

const entries = table as unknown as Readonly<Record<string, CatalogueModel>>;

/** Our own presets that are no published model. */
const ownPresets = presetNames.filter((name) => !Object.hasOwn(entries, name));

/** A preset's vocabulary comes from its tokenizer; training aims at this one where neither says another. */
const PRESET_VOCABULARY = 4096;

/** The names of the models of the catalogue: published ones, then our own presets. */
export const models: readonly string[] = [...Object.keys(entries), ...ownPresets];

const byName = new Map(
  Object.entries(entries).flatMap(([name, entry]) => [name, ...entry.aliases].map((alias) => [plain(alias), name])),
);

/**
 * A model of the catalogue, or a preset of ours, by name or alias; case and punctuation do not matter.
 *
 * @throws UsageError naming the nearest names
 */
export function findModel(name: string): Workload {
  const known = byName.get(plain(name));
  if (known !== undefined) {
    const { config, crossAttentionLayers = 0, stacks = 1 } = entries[known]!;
    return toWorkload(known, { ...readModelConfig(config), crossAttentionLayers, stacks });
  }
  const own = ownPresets.find((preset) => plain(preset) === plain(name));
  if (own !== undefined) return presetWorkload(own);
  throw new UsageError(
    `Unknown model ${JSON.stringify(name.slice(0, 64))}. Nearest: ${nearestNames(name, models).join(', ')}. ` +
      'Allowed: a name of the catalogue, or the config.json of a Hugging Face model.',
  );
}

/**
 * The mixture of experts of the catalogue that a name begins with (`Mixtral 8x7B (8 experts)`); undefined where there is
 * none: what a table says of a model beside its name does not describe one.
 */
export function findMixture(name: string): Workload | undefined {
  const wanted = plain(name.slice(0, 200));
  const known = [...byName].find(([alias, entry]) => wanted.startsWith(alias) && isMixture(entries[entry]!.config));
  return known && findModel(known[1]);
}

const isMixture = (config: JsonValue): boolean =>
  typeof config === 'object' && config !== null && Object.keys(config).some((key) => /experts_per_tok/.test(key));

/** What is published about a model of the catalogue: its parameters, whether they are exact, and where. */
export function publishedParameters(name: string): CatalogueModel['published'] | undefined {
  const known = byName.get(plain(name));
  return known === undefined ? undefined : entries[known]!.published;
}

/**
 * The model that a Hugging Face `config.json` describes; a key that is left out has the default of its published class.
 *
 * @throws UsageError for an unknown `model_type`, or a value that cannot be
 */
export function modelFromConfig(config: JsonValue, name = 'config.json'): Workload {
  return toWorkload(name, readModelConfig(config));
}

function presetWorkload(name: string): Workload {
  const { family, layers, width, heads, keyValueHeads, context, vocabulary = PRESET_VOCABULARY } = findPreset(name);
  const config =
    family === 'gpt2'
      ? { n_layer: layers, n_embd: width, n_head: heads, n_positions: context }
      : {
          num_hidden_layers: layers,
          hidden_size: width,
          num_attention_heads: heads,
          num_key_value_heads: keyValueHeads,
          head_dim: width / heads,
          max_position_embeddings: context,
          // Llama's own rule: 8/3 of the width, rounded up to a multiple of 32.
          intermediate_size: Math.ceil((8 * width) / 3 / 32) * 32,
        };
  return toWorkload(name, readModelConfig({ model_type: family, vocab_size: vocabulary, ...config }));
}
