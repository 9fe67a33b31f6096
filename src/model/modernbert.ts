/*
 * ModernBERT (arXiv 2412.13663) in Hugging Face's names and keys.
 * Shape suffixes: N tokens = T · B, time-major; C width; F width of the hidden layer; H heads; D width of a head;
 * M rows of hidden states.
 */
import { z } from 'zod';
import { add, constant, gather, layerNorm, mul, reshape, split, type Tensor } from '../graph/index.js';
import { type ActivationName, activations } from './activations.js';
import type { Architecture, Dimensions, TracedParameters } from './architecture.js';
import { parseConfig, positive } from './config.js';
import { type LayerType, layerTypes, rotaryEmbedding, unusable } from './decoder-config.js';
import { dropout } from './dropout.js';
import { encoderHeads, labelKeys, type Transform } from './encoder-heads.js';
import type { ParameterSpec } from './layout.js';
import { linear } from './linear.js';
import { poolings } from './pooling.js';
import { type RotaryEmbedding, rotaryKeys, rotarySettingsOfKind, rotate } from './rotary.js';
import { specs } from './specs.js';

const above0 = z.number().positive();
// Those that are followed stand in config-rules.json.
const activation = z.string().transform((name) => name as ActivationName);

// What the values may be beside their types, and their defaults: config-rules.json, published-configs.json.
const schema = z.looseObject({
  model_type: z.literal('modernbert'),
  vocab_size: positive,
  hidden_size: positive,
  intermediate_size: positive,
  num_hidden_layers: positive,
  num_attention_heads: positive,
  hidden_activation: activation,
  max_position_embeddings: positive,
  initializer_range: above0,
  initializer_cutoff_factor: above0.nullish(),
  norm_eps: above0,
  norm_bias: z.boolean(),
  attention_bias: z.boolean(),
  mlp_bias: z.boolean(),
  decoder_bias: z.boolean(),
  classifier_bias: z.boolean(),
  classifier_activation: activation,
  classifier_pooling: z.enum(['cls', 'mean']),
  local_attention: z.number().int().nonnegative(),
  global_attn_every_n_layers: positive.nullish(),
  layer_types: z.array(z.string()).nullish(),
  rope_parameters: z
    .looseObject({ full_attention: rotaryKeys.nullish(), sliding_attention: rotaryKeys.nullish() })
    .nullish(),
  rope_scaling: rotaryKeys.nullish(),
  global_rope_theta: above0.nullish(),
  local_rope_theta: above0.nullish(),
  tie_word_embeddings: z.boolean(),
  ...labelKeys,
});

type ModernBertConfig = z.infer<typeof schema>;

/** What follows from a configuration: which layers see a window alone, and the positions of each kind of them. */
interface Layers {
  readonly type: (layer: number) => LayerType;
  readonly rotary: Readonly<Record<LayerType, RotaryEmbedding>>;
}

const described = new WeakMap<ModernBertConfig, Layers>();

/** @throws UsageError for layers or positions that cannot be */
function layersOf(c: ModernBertConfig): Layers {
  const known = described.get(c);
  if (known) return known;
  const { hidden_size: width, num_attention_heads: heads, rope_parameters: byType, rope_scaling: scaling } = c;
  if (width % heads !== 0)
    throw unusable(
      'modernbert',
      `width (hidden_size) ${width} is not divisible by heads (num_attention_heads) ${heads}`,
    );
  const every = c.global_attn_every_n_layers ?? 3;
  const rotaryOf = (type: LayerType, theta: number) => {
    const settings = { rope_theta: theta, ...byType?.[type], ...scaling };
    return rotaryEmbedding(c, rotarySettingsOfKind(c, width / heads, settings));
  };
  const layers: Layers = {
    type: layerTypes(c, windowOf(c), (layer) => layer % every !== 0),
    rotary: {
      full_attention: rotaryOf('full_attention', c.global_rope_theta ?? 160_000),
      sliding_attention: rotaryOf('sliding_attention', c.local_rope_theta ?? 10_000),
    },
  };
  described.set(c, layers);
  return layers;
}

/** Half of the published window lies to each side, and the token's own place is counted here. */
const windowOf = (c: ModernBertConfig): number => Math.floor(c.local_attention / 2) + 1;

/** Standard deviations of what the layers take in, and of what they add to the hidden state. */
const deviations = (c: ModernBertConfig) => ({
  inward: specs(c.initializer_range, c.initializer_cutoff_factor ?? 3),
  outward: specs(c.initializer_range / Math.sqrt(2 * c.num_hidden_layers), c.initializer_cutoff_factor ?? 3),
});

function norm(c: ModernBertConfig, p: TracedParameters, name: string, x: Tensor): Tensor {
  const C = c.hidden_size;
  const bias_C = c.norm_bias ? p[`${name}.bias`]! : constant(new Float32Array(C), [C]);
  return layerNorm(x, p[`${name}.weight`]!, bias_C, c.norm_eps);
}

const EMBEDDINGS = 'model.embeddings';
const WORDS = `${EMBEDDINGS}.tok_embeddings.weight`;

/** A layer, an activation and a norm, which stand before the scores of every head. */
const prediction: Transform<ModernBertConfig> = {
  parameters: (c) => [
    ...deviations(c).outward.dense('head.dense', c.hidden_size, c.hidden_size, { bias: c.classifier_bias }),
    ...deviations(c).outward.norm('head.norm', c.hidden_size, { bias: c.norm_bias }),
  ],
  trace: (c, p, x_MC) => norm(c, p, 'head.norm', activations[c.classifier_activation](linear(p, 'head.dense', x_MC))),
};

const { masked, sequence, tokens, span } = encoderHeads<ModernBertConfig>({
  width: (c) => c.hidden_size,
  std: (c) => c.hidden_size ** -0.5,
  cutoff: (c) => c.initializer_cutoff_factor ?? 3,
});

/** An encoder with rotary positions, in whose layers every token attends to all others, or to those near it. */
export const modernbert: Architecture<ModernBertConfig> = {
  name: 'modernbert',
  sees: 'all',
  parse(config) {
    const parsed = parseConfig('modernbert', schema, config);
    layersOf(parsed);
    return parsed;
  },
  configure: (d: Dimensions) =>
    modernbert.parse({
      architectures: ['ModernBertForMaskedLM'],
      model_type: 'modernbert',
      vocab_size: d.vocabulary,
      hidden_size: d.width,
      intermediate_size: Math.ceil((3 * d.width) / 2),
      num_hidden_layers: d.layers,
      num_attention_heads: d.heads,
      hidden_activation: 'gelu',
      max_position_embeddings: d.context,
      initializer_range: 0.02,
      initializer_cutoff_factor: 2,
      norm_eps: 1e-5,
      norm_bias: false,
      attention_bias: false,
      mlp_bias: false,
      decoder_bias: true,
      classifier_bias: false,
      classifier_activation: 'gelu',
      classifier_pooling: 'mean',
      local_attention: Math.min(128, 2 * Math.ceil(d.context / 4)),
      global_attn_every_n_layers: 3,
      global_rope_theta: 160_000,
      local_rope_theta: 10_000,
      attention_dropout: 0,
      embedding_dropout: 0,
      mlp_dropout: 0,
      classifier_dropout: 0,
      // The published class takes tokens for these where the file does not say otherwise.
      pad_token_id: null,
      bos_token_id: null,
      eos_token_id: null,
      cls_token_id: null,
      sep_token_id: null,
      tie_word_embeddings: true,
      torch_dtype: 'float32',
    }),
  dimensions: (c) => ({
    layers: c.num_hidden_layers,
    width: c.hidden_size,
    heads: c.num_attention_heads,
    keyValueHeads: c.num_attention_heads,
    context: Math.min(...Object.values(layersOf(c).rotary).map(({ longest }) => longest)),
    vocabulary: c.vocab_size,
  }),
  head: () => WORDS,
  heads: {
    ForMaskedLM: masked(
      { transform: prediction, bias: (c) => (c.decoder_bias ? 'decoder' : undefined) },
      { rows: WORDS, vocabulary: (c) => c.vocab_size },
    ),
    ForSequenceClassification: sequence('classifier', prediction, (c, x_NC, inputs) =>
      poolings[c.classifier_pooling](x_NC, inputs),
    ),
    ForTokenClassification: tokens('classifier', prediction),
    ForQuestionAnswering: span('classifier', prediction),
  },

  parameters(c) {
    const C = c.hidden_size;
    const F = c.intermediate_size;
    const { inward, outward } = deviations(c);
    const normed = (name: string) => inward.norm(name, C, { bias: c.norm_bias });
    const block = (i: number): ParameterSpec[] => {
      const at = `model.layers.${i}`;
      return [
        ...(i === 0 ? [] : normed(`${at}.attn_norm`)),
        ...inward.dense(`${at}.attn.Wqkv`, 3 * C, C, { bias: c.attention_bias }),
        ...outward.dense(`${at}.attn.Wo`, C, C, { bias: c.attention_bias }),
        ...normed(`${at}.mlp_norm`),
        ...inward.dense(`${at}.mlp.Wi`, 2 * F, C, { bias: c.mlp_bias }),
        ...outward.dense(`${at}.mlp.Wo`, C, F, { bias: c.mlp_bias }),
      ];
    };
    return [
      inward.matrix(`${EMBEDDINGS}.tok_embeddings`, c.vocab_size, C),
      ...normed(`${EMBEDDINGS}.norm`),
      ...Array.from({ length: c.num_hidden_layers }, (_, i) => block(i)).flat(),
      ...normed('model.final_norm'),
    ];
  },

  embed: (c, p, { ids_N }) => dropout(p, norm(c, p, `${EMBEDDINGS}.norm`, gather(p[WORDS]!, ids_N))),

  block(c, p, i, x_NC, inputs) {
    const { batch: B, attend } = inputs;
    const [N, C] = x_NC.shape as [number, number];
    const [F, H] = [c.intermediate_size, c.num_attention_heads];
    const at = `model.layers.${i}`;
    const { type, rotary } = layersOf(c);
    const angles = rotary[type(i)].angles(inputs);
    // What the embeddings give is normalised already.
    const a_NC = i === 0 ? x_NC : norm(c, p, `${at}.attn_norm`, x_NC);
    const parts = split(linear(p, `${at}.attn.Wqkv`, a_NC), 1, [C, C, C]);
    const [q, k, v] = parts.map((x) => reshape(x, [N / B, B, H, C / H])) as [Tensor, Tensor, Tensor];
    const window = type(i) === 'sliding_attention' ? windowOf(c) : undefined;
    const o_NC = reshape(attend(i, rotate(q, angles), rotate(k, angles), v, { window }), [N, C]);
    const r_NC = add(x_NC, dropout(p, linear(p, `${at}.attn.Wo`, o_NC)));
    const both = split(linear(p, `${at}.mlp.Wi`, norm(c, p, `${at}.mlp_norm`, r_NC)), 1, [F, F]);
    const [h_NF, gate_NF] = both as [Tensor, Tensor];
    return add(r_NC, linear(p, `${at}.mlp.Wo`, dropout(p, mul(activations[c.hidden_activation](h_NF), gate_NF))));
  },

  final: (c, p, x_NC) => norm(c, p, 'model.final_norm', x_NC),
};
