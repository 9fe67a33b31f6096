import { z } from 'zod';
import { parseConfig, positive } from './config.js';
import { type DecoderDescription, decoder } from './decoder.js';
import {
  type DecoderConfig,
  decoderKeys,
  decoderSizes,
  layerTypes,
  llamaLike,
  rotaryEmbedding,
  windowKeys,
} from './decoder-config.js';
import { type RotaryEmbedding, rotaryKeys, rotarySettingsOfKind } from './rotary.js';

const cap = z.number().positive().nullish();
const shared = { head_dim: positive, attention_bias: z.boolean() };
const windowed = {
  ...shared,
  ...windowKeys,
  sliding_window: positive,
  hidden_activation: z.string(),
  query_pre_attn_scalar: z.number().positive(),
  final_logit_softcapping: cap,
  attn_logit_softcapping: cap,
};
const gemmaSchema = z.looseObject({ ...decoderKeys('gemma'), ...shared, hidden_act: z.string() });
const gemma2Schema = z.looseObject({ ...decoderKeys('gemma2'), ...windowed });
const gemma3Schema = z.looseObject({
  ...decoderKeys('gemma3_text'),
  ...windowed,
  rope_parameters: z
    .looseObject({ full_attention: rotaryKeys.nullish(), sliding_attention: rotaryKeys.nullish() })
    .nullish(),
  rope_local_base_freq: z.number().positive().nullish(),
  sliding_window_pattern: positive.nullish(),
});

type Windowed = Omit<DecoderConfig, 'rope_parameters'> & Pick<z.infer<typeof gemma2Schema>, keyof typeof windowed>;

/** A decoder as the first Gemma is. */
function gemmaLike(c: DecoderConfig & { readonly attention_bias: boolean }, rotary?: RotaryEmbedding) {
  return {
    ...llamaLike(c, rotary),
    activation: 'gelu',
    gain: 'weight + 1',
    embeddingScale: Math.sqrt(c.hidden_size),
    biases: { queryKeyValue: c.attention_bias, output: c.attention_bias, feedForward: false },
  } as const satisfies DecoderDescription;
}

/** What Gemma 2 and 3 have beside the first, but for positions. */
function capped(c: Windowed, type: (layer: number) => string) {
  return {
    norms: 'around',
    softcap: c.final_logit_softcapping ?? undefined,
    attention: (layer: number) => ({
      scale: c.query_pre_attn_scalar ** -0.5,
      // Gemma 3 has the key, and the published model does not follow it: config-rules.json lets none but null through.
      softcap: c.attn_logit_softcapping ?? undefined,
      window: type(layer) === 'sliding_attention' ? c.sliding_window : undefined,
    }),
  } as const;
}

const written = {
  rms_norm_eps: 1e-6,
  initializer_range: 0.02,
  attention_bias: false,
  attention_dropout: 0,
  tie_word_embeddings: true,
  bos_token_id: null,
  eos_token_id: null,
  pad_token_id: null,
  torch_dtype: 'float32',
};

/** Gemma (arXiv 2403.08295): Llama with GELU, norms that multiply by 1 more than their weight, and scaled embeddings. */
export const gemma = decoder({
  name: 'gemma',
  parse: (config) => parseConfig('gemma', gemmaSchema, config),
  configure: (d) => ({
    ...decoderSizes('gemma', 'GemmaForCausalLM', d),
    head_dim: d.width / d.heads,
    ...written,
    rope_theta: 10_000,
    hidden_act: 'gelu_pytorch_tanh',
  }),
  describe: (c) => gemmaLike(c),
});

/** Gemma 2 (arXiv 2408.00118): capped scores, norms around each part, and a window in every second layer. */
export const gemma2 = decoder({
  name: 'gemma2',
  parse: (config) => parseConfig('gemma2', gemma2Schema, config),
  configure: (d) => ({
    ...decoderSizes('gemma2', 'Gemma2ForCausalLM', d),
    head_dim: d.width / d.heads,
    ...written,
    rope_theta: 10_000,
    hidden_activation: 'gelu_pytorch_tanh',
    query_pre_attn_scalar: d.width / d.heads,
    sliding_window: Math.max(1, Math.floor(d.context / 2)),
    final_logit_softcapping: 30,
    attn_logit_softcapping: 50,
  }),
  describe: (c) => ({
    ...gemmaLike(c),
    ...capped(
      c,
      layerTypes(c, c.sliding_window, (layer) => layer % 2 === 0),
    ),
  }),
});

/**
 * Gemma 3 (arXiv 2503.19786), its part for text: norms of queries and keys, five layers with a window for each without,
 * and positions of another base in those.
 */
export const gemma3 = decoder({
  name: 'gemma3_text',
  parse: (config) => parseConfig('gemma3_text', gemma3Schema, config),
  configure: (d) => ({
    ...decoderSizes('gemma3_text', 'Gemma3ForCausalLM', d),
    head_dim: d.width / d.heads,
    ...written,
    rope_theta: 1_000_000,
    rope_local_base_freq: 10_000,
    hidden_activation: 'gelu_pytorch_tanh',
    query_pre_attn_scalar: d.width / d.heads,
    sliding_window: Math.max(1, Math.floor(d.context / 2)),
    sliding_window_pattern: 6,
  }),
  describe: (config) => {
    const { rope_parameters: byType, rope_scaling: scaling, rope_theta: theta, ...c } = config;
    const pattern = c.sliding_window_pattern ?? 6;
    const type = layerTypes(c, c.sliding_window, (layer) => (layer + 1) % pattern !== 0);
    // The older spelling scales the layers without a window alone.
    const full = { rope_theta: theta ?? 1_000_000, ...byType?.full_attention, ...scaling };
    const local = { rope_theta: c.rope_local_base_freq ?? 10_000, ...byType?.sliding_attention };
    const [whole, near] = [full, local].map((settings) =>
      rotaryEmbedding(c, rotarySettingsOfKind(c, c.head_dim, settings)),
    );
    return {
      ...gemmaLike(c, whole),
      ...capped(c, type),
      queryKeyNorm: true,
      rotary: (layer) => (type(layer) === 'sliding_attention' ? near : whole),
    };
  },
});
