import { z } from 'zod';
import { UsageError } from '../base/errors.js';
import type { Dimensions } from './architecture.js';
import { positive } from './config.js';
import type { DecoderDescription } from './decoder.js';
import { RotaryEmbedding, type RotarySettings, rotaryKeys, rotarySettings } from './rotary.js';

const above0 = z.number().positive();
const rope = rotaryKeys.nullish();

// What the values may be beside their types, and their defaults: config-rules.json, published-configs.json.
/** Keys that every decoder of Llama's kind has, in the order of Llama's file. */
export const decoderKeys = <Name extends string>(name: Name) => ({
  model_type: z.literal(name),
  vocab_size: positive,
  hidden_size: positive,
  intermediate_size: positive,
  num_hidden_layers: positive,
  num_attention_heads: positive,
  num_key_value_heads: positive.nullish(),
  head_dim: positive.nullish(),
  max_position_embeddings: positive,
  rms_norm_eps: above0,
  rope_theta: above0.nullish(),
  rope_parameters: rope,
  rope_scaling: rope,
  original_max_position_embeddings: positive.nullish(),
  initializer_range: above0,
  tie_word_embeddings: z.boolean(),
});

/** Keys of families whose layers may see a window of the past alone. */
export const windowKeys = {
  sliding_window: positive.nullish(),
  layer_types: z.array(z.string()).nullish(),
};

type Keys = ReturnType<typeof decoderKeys<string>>;

/** What is read of any decoder's configuration. */
export type DecoderConfig = z.infer<z.ZodObject<Keys>>;

/** That a configuration of a family cannot be, and why. */
export const unusable = (family: string, why: string): UsageError =>
  new UsageError(`The ${family} configuration is not usable: ${why}.`);

/** Positions by settings. @throws UsageError where they cannot be */
export function rotaryEmbedding(c: Pick<DecoderConfig, 'model_type'>, settings: RotarySettings): RotaryEmbedding {
  const embedding = new RotaryEmbedding(settings);
  if (embedding.fault !== undefined) throw unusable(c.model_type, embedding.fault);
  return embedding;
}

/** D: a head's width. */
export const headWidth = (c: Pick<DecoderConfig, 'head_dim' | 'hidden_size' | 'num_attention_heads'>): number =>
  c.head_dim ?? c.hidden_size / c.num_attention_heads;

/**
 * A decoder as Llama is; families say what is otherwise.
 *
 * @param positions those of every layer, where they are not the ones that the configuration's common keys tell
 * @throws UsageError for sizes that do not fit
 */
export function llamaLike(c: DecoderConfig, positions?: RotaryEmbedding): DecoderDescription {
  const { num_attention_heads: heads, hidden_size: width } = c;
  const keyValueHeads = c.num_key_value_heads ?? heads;
  if (heads % keyValueHeads !== 0) {
    throw unusable(
      c.model_type,
      `heads (num_attention_heads) ${heads} are not divisible by key and value heads (num_key_value_heads) ${keyValueHeads}`,
    );
  }
  if (!c.head_dim) requireHeads(c.model_type, width, heads);
  const rotary = positions ?? rotaryEmbedding(c, rotarySettings(c, headWidth(c)));
  return {
    dimensions: {
      layers: c.num_hidden_layers,
      width,
      heads,
      keyValueHeads,
      context: rotary.longest,
      vocabulary: c.vocab_size,
    },
    headWidth: headWidth(c),
    feedForward: c.intermediate_size,
    deviation: c.initializer_range,
    epsilon: c.rms_norm_eps,
    tied: c.tie_word_embeddings,
    activation: 'silu',
    gain: 'weight',
    norms: 'before',
    queryKeyNorm: false,
    fused: false,
    biases: { queryKeyValue: false, output: false, feedForward: false },
    attention: () => ({}),
    rotary: () => rotary,
  };
}

/** A layer that sees all of the past, and one that sees a window of it, as `layer_types` names them. */
export type LayerType = 'full_attention' | 'sliding_attention';

/**
 * Which layers see a window alone: as `layer_types` says, or by the family's own rule.
 *
 * @param window undefined where there is none
 * @throws UsageError for a type that is not known, or a layer with a window where there is none
 */
export function layerTypes(
  c: Pick<DecoderConfig, 'model_type' | 'num_hidden_layers'> & {
    readonly layer_types?: readonly string[] | null | undefined;
  },
  window: number | null | undefined,
  otherwise: (layer: number) => boolean,
): (layer: number) => LayerType {
  const types = c.layer_types;
  if (!types) return (layer) => (window && otherwise(layer) ? 'sliding_attention' : 'full_attention');
  if (types.length !== c.num_hidden_layers) {
    throw unusable(c.model_type, `layer_types has ${types.length} entries for ${c.num_hidden_layers} layers`);
  }
  const allowed: readonly string[] = ['full_attention', 'sliding_attention'];
  const unknown = types.find((type) => !allowed.includes(type));
  if (unknown !== undefined) {
    throw unusable(
      c.model_type,
      `layer_types has ${JSON.stringify(unknown.slice(0, 64))}; allowed: ${allowed.join(', ')}`,
    );
  }
  if (!window && types.includes('sliding_attention')) {
    throw unusable(
      c.model_type,
      'layer_types has layers of a sliding window, but no window is in use (sliding_window)',
    );
  }
  return (layer) => types[layer] as LayerType;
}

/** Llama's hidden width for a model width: 8/3 of it, rounded up to a multiple of 32. */
const hiddenWidth = (width: number): number => Math.ceil((8 * width) / 3 / 32) * 32;

function requireHeads(family: string, width: number, heads: number): void {
  if (width % heads === 0) return;
  throw unusable(family, `width (hidden_size) ${width} is not divisible by heads (num_attention_heads) ${heads}`);
}

/**
 * The `config.json` of a decoder with these sizes, but for what is a family's own.
 *
 * @throws UsageError where the heads do not divide the width
 */
export function decoderSizes(name: string, architecture: string, d: Dimensions) {
  requireHeads(name, d.width, d.heads);
  return {
    architectures: [architecture],
    model_type: name,
    vocab_size: d.vocabulary,
    hidden_size: d.width,
    intermediate_size: hiddenWidth(d.width),
    num_hidden_layers: d.layers,
    num_attention_heads: d.heads,
    num_key_value_heads: d.keyValueHeads,
    max_position_embeddings: d.context,
  };
}
