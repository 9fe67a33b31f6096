import { z } from 'zod';
import { parseConfig, positive } from './config.js';
import { type DecoderDescription, decoder } from './decoder.js';
import { type DecoderConfig, decoderKeys, decoderSizes, layerTypes, llamaLike, windowKeys } from './decoder-config.js';

const own = {
  ...windowKeys,
  hidden_act: z.string(),
  use_sliding_window: z.boolean(),
  max_window_layers: z.number().int().nonnegative().nullish(),
};
const qwen2Schema = z.looseObject({ ...decoderKeys('qwen2'), ...own });
const qwen3Schema = z.looseObject({ ...decoderKeys('qwen3'), ...own, head_dim: positive, attention_bias: z.boolean() });

type Windowed = DecoderConfig & Pick<z.infer<typeof qwen2Schema>, keyof typeof own>;

/** What the layers from `max_window_layers` on see, where windows are in use. */
function attention(c: Windowed): DecoderDescription['attention'] {
  const window = c.use_sliding_window ? c.sliding_window : undefined;
  const type = layerTypes(c, window, (layer) => layer >= (c.max_window_layers ?? 0));
  return (layer) => ({ window: type(layer) === 'sliding_attention' ? (window ?? undefined) : undefined });
}

const written = {
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  use_sliding_window: false,
  initializer_range: 0.02,
  hidden_act: 'silu',
  attention_dropout: 0,
  tie_word_embeddings: false,
  torch_dtype: 'float32',
};

/** Qwen2 (arXiv 2407.10671): Llama with biases of queries, keys and values. */
export const qwen2 = decoder({
  name: 'qwen2',
  parse: (config) => parseConfig('qwen2', qwen2Schema, config),
  configure: (d) => ({ ...decoderSizes('qwen2', 'Qwen2ForCausalLM', d), ...written }),
  describe: (c) => ({
    ...llamaLike(c),
    biases: { queryKeyValue: true, output: false, feedForward: false },
    attention: attention(c),
  }),
});

/** Qwen3 (arXiv 2505.09388): Llama with norms of queries and keys. */
export const qwen3 = decoder({
  name: 'qwen3',
  parse: (config) => parseConfig('qwen3', qwen3Schema, config),
  configure: (d) => ({
    ...decoderSizes('qwen3', 'Qwen3ForCausalLM', d),
    head_dim: d.width / d.heads,
    ...written,
    attention_bias: false,
  }),
  describe: (c) => ({
    ...llamaLike(c),
    queryKeyNorm: true,
    biases: { queryKeyValue: c.attention_bias, output: c.attention_bias, feedForward: false },
    attention: attention(c),
  }),
});
