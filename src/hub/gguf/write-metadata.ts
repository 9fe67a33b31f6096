import { MeanfieldError } from '../../base/errors.js';
import type { JsonObject } from '../../base/json.js';
import type { Architecture } from '../../model/architecture.js';
import type { Model } from '../../model/model.js';
import { PublishedConfig } from '../../model/published.js';
import { rotarySettings } from '../../model/rotary.js';
import { type GgufArchitecture, ggufArchitectures } from './architectures.js';
import type { GgufValue } from './header.js';
import { type Llama3Scaling, llama3Factors } from './llama3-factors.js';
import { LARGEST_GEMMA, NO_ROPE_INTERVAL } from './read-config.js';

/** What a GGUF file says of a model beside its tokenizer and parameters. */
export interface WrittenSettings {
  readonly architecture: GgufArchitecture;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** Tensors that hold settings. */
  readonly settings: readonly { readonly name: string; readonly values: Float32Array }[];
  readonly heads: { readonly query: number; readonly key: number };
  /** What the user should be told. */
  readonly notices: readonly string[];
}

const uint32 = (value: number): GgufValue => ({ type: 'UINT32', value });
const float32 = (value: number): GgufValue => ({ type: 'FLOAT32', value });
const string = (value: string): GgufValue => ({ type: 'STRING', value });

/** The base of positions where a configuration tells none. */
const THETA: Readonly<Record<string, number>> = { smollm3: 2_000_000, gemma3_text: 1_000_000 };
/** Architectures whose heads llama.cpp takes to share the width among them. */
const SHARED_WIDTH = ['qwen2', 'phi3'];

/** The architecture in which a family is written: a Mistral is a Llama. */
function architectureOf({ name: family, encoder }: Architecture): GgufArchitecture {
  const name = family === 'mistral' ? 'llama' : family;
  const found = [...ggufArchitectures.values()].find((each) => each.family === name);
  if (found) return found;
  if (encoder)
    throw new MeanfieldError(
      `A ${family} model is not written as GGUF: it reads a source and writes beside it, and node-llama-cpp, by which such ` +
        'files are tried, runs no such model. Export it to onnx, for transformers.js, or to hf.',
    );
  const families = [...[...ggufArchitectures.values()].map((each) => each.family), 'mistral'].sort();
  throw new MeanfieldError(
    `A ${family} model is not written as GGUF; those that are: ${families.join(', ')}. Export it in another form.`,
  );
}

/**
 * A model's settings as llama.cpp has them.
 *
 * @throws MeanfieldError for a family or a setting that llama.cpp has no key for, by its name
 */
export function writtenSettings(model: Model): WrittenSettings {
  const family = model.architecture.name;
  const architecture = architectureOf(model.architecture);
  const given = model.config as JsonObject;
  const config = new PublishedConfig(family, given);
  const refuse = (key: string, why: string): never => {
    throw new MeanfieldError(
      `This ${family} model is not written as GGUF: ${key} is ${JSON.stringify(config.value(key) ?? null)}, and ${why}. Export it in another form.`,
    );
  };
  const { dimensions } = model;
  const notices: string[] = [];
  const metadata = new Map<string, GgufValue>([
    ['general.architecture', string(architecture.name)],
    ['general.type', string('model')],
  ]);
  const put = (key: string, value: GgufValue) => metadata.set(`${architecture.name}.${key}`, value);
  const heads = { query: dimensions.heads, key: dimensions.keyValueHeads };
  const sizes: Readonly<Record<string, number>> = { n_inner: 4 * dimensions.width };
  for (const { key, type, config: name } of architecture.keys)
    put(key, { type, value: Number(config.value(name) ?? sizes[name]) });
  put('context_length', uint32(dimensions.context));
  put('vocab_size', uint32(dimensions.vocabulary));
  const settings = family === 'gpt2' ? [] : decoderSettings();
  return { architecture, metadata, settings, heads, notices };

  function decoderSettings(): WrittenSettings['settings'] {
    put('attention.head_count_kv', uint32(heads.key));
    const width = Number(config.value('head_dim') ?? dimensions.width / heads.query);
    if (SHARED_WIDTH.includes(architecture.name) && width * heads.query !== dimensions.width)
      refuse('head_dim', `llama.cpp takes hidden_size / num_attention_heads, ${dimensions.width / heads.query}`);
    put('attention.key_length', uint32(width));
    put('attention.value_length', uint32(width));
    for (const key of ['attention_bias', 'mlp_bias'])
      if (config.value(key) === true && family !== 'llama') refuse(key, 'llama.cpp has no such biases in it');
    if (family === 'smollm3') checkPlaces();
    if (family === 'gemma2' || family === 'gemma3_text') gemmaSettings(width);
    else limitToWindow();
    if (family.startsWith('gemma') && family !== 'gemma3_text' && config.value('tie_word_embeddings') !== true)
      refuse('tie_word_embeddings', "llama.cpp scores by the embedding's rows");
    return positions(width);
  }

  /** Up to a window's length nothing is out of sight: that is the context which llama.cpp is told. */
  function limitToWindow(): void {
    const window = config.value('sliding_window');
    const used = family === 'mistral' || family === 'phi3' || config.value('use_sliding_window') === true;
    if (!used || typeof window !== 'number' || window >= dimensions.context) return;
    put('context_length', uint32(window));
    notices.push(
      `llama.cpp knows no window in a ${architecture.name}: the file says a context of ${window} tokens, the window, up ` +
        `to which it computes the same. The model's own is ${dimensions.context}.`,
    );
  }

  function checkPlaces(): void {
    const told = given.no_rope_layers as readonly (number | boolean)[] | null | undefined;
    const interval = Number(config.value('no_rope_layer_interval'));
    for (let i = 0; i < dimensions.layers; i++) {
      const placed = told ? Boolean(told[i]) : (i + 1) % interval !== 0;
      if (placed === ((i + 1) % NO_ROPE_INTERVAL === 0))
        refuse(told ? 'no_rope_layers' : 'no_rope_layer_interval', 'llama.cpp has positions in all but every fourth');
    }
  }

  function gemmaSettings(width: number): void {
    const scalar = Number(config.value('query_pre_attn_scalar'));
    const largest = dimensions.layers === LARGEST_GEMMA[architecture.name];
    const expected = largest ? Math.trunc(dimensions.width / heads.query) : width;
    if (scalar !== expected) refuse('query_pre_attn_scalar', `llama.cpp takes ${expected}`);
    const types = given.layer_types as readonly string[] | null | undefined;
    const every = family === 'gemma2' ? 2 : Number(config.value('sliding_window_pattern') ?? 6);
    const full = (i: number) => (types ? types[i] === 'full_attention' : (i + 1) % every === 0);
    const layers = Array.from({ length: dimensions.layers }, (_, i) => full(i));
    const first = layers.indexOf(true) + 1 || dimensions.layers + 1;
    if (layers.some((each, i) => each !== ((i + 1) % first === 0)))
      refuse('layer_types', 'llama.cpp has layers without a window at even distances alone');
    put('attention.sliding_window', uint32(Number(config.value('sliding_window'))));
    put('attention.sliding_window_pattern', uint32(first));
    for (const key of ['attn_logit_softcapping', 'final_logit_softcapping']) {
      const cap = config.value(key);
      if (typeof cap === 'number') put(key, float32(cap));
      else if (family === 'gemma2') refuse(key, 'llama.cpp always caps it');
    }
  }

  function positions(width: number): WrittenSettings['settings'] {
    const byKind = (kind: string) => (config.given.rope_parameters as JsonObject | undefined)?.[kind] as JsonObject;
    const all = config.given as unknown as Parameters<typeof rotarySettings>[0];
    const gemma = family === 'gemma3_text';
    const asked = gemma
      ? {
          ...all,
          rope_parameters: { rope_theta: all.rope_theta, ...byKind('full_attention'), ...all.rope_scaling },
          rope_scaling: null,
        }
      : all;
    const max_position_embeddings = Number(config.value('max_position_embeddings'));
    const rotary = rotarySettings({ ...asked, max_position_embeddings }, width, THETA[family]);
    put('rope.freq_base', float32(rotary.rope_theta));
    if (gemma) {
      const local = byKind('sliding_attention') ?? {};
      if ((local.rope_type ?? 'default') !== 'default')
        refuse('rope_parameters', 'llama.cpp scales no layers of a window');
      put('rope.freq_base_swa', float32(Number(local.rope_theta ?? config.value('rope_local_base_freq') ?? 10_000)));
    }
    const part =
      family === 'phi3' ? (rotary.partial_rotary_factor ?? Number(config.value('partial_rotary_factor') ?? 1)) : 1;
    const rotated = Math.floor(width * part);
    put('rope.dimension_count', uint32(rotated));
    const type = family === 'phi3' && ['su', 'yarn'].includes(rotary.rope_type) ? 'longrope' : rotary.rope_type;
    const scale = (kind: string) => {
      put('rope.scaling.type', string(kind));
      put('rope.scaling.factor', float32(rotary.factor!));
    };
    if (type === 'linear') scale('linear');
    else if (type === 'yarn') {
      const plain = (rotary.beta_fast ?? 32) === 32 && (rotary.beta_slow ?? 1) === 1 && rotary.truncate !== false;
      if (!plain || [rotary.attention_factor, rotary.mscale, rotary.mscale_all_dim].some((each) => each != null))
        refuse('rope_scaling', 'of yarn factor and original_max_position_embeddings alone are written');
      scale('yarn');
      put('rope.scaling.original_context_length', uint32(rotary.original));
    } else if (type === 'llama3') {
      if (architecture.name !== 'llama') refuse('rope_scaling', 'llama.cpp has rope_freqs in a Llama alone');
      const scaling: Llama3Scaling = {
        factor: rotary.factor!,
        low_freq_factor: rotary.low_freq_factor!,
        high_freq_factor: rotary.high_freq_factor!,
        original_max_position_embeddings: rotary.original,
      };
      return [{ name: 'rope_freqs.weight', values: llama3Factors(scaling, rotary.rope_theta, width) }];
    } else if (type === 'longrope') {
      const factor = rotary.factor ?? rotary.positions / rotary.original;
      const inferred = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(rotary.original));
      put('rope.scaling.attn_factor', float32(rotary.attention_factor ?? inferred));
      put('rope.scaling.original_context_length', uint32(rotary.original));
      if (model.reach.written > dimensions.context)
        notices.push(
          `The file says a context of ${dimensions.context} tokens, up to which llama.cpp has the positions of this model. ` +
            `It may be run with more, up to ${model.reach.written}: then it has those of long texts for short ones too.`,
        );
      return [
        { name: 'rope_factors_long.weight', values: Float32Array.from(rotary.long_factor!) },
        { name: 'rope_factors_short.weight', values: Float32Array.from(rotary.short_factor!) },
      ];
    }
    // Dynamic scaling does nothing up to the model's own length.
    return [];
  }
}
