import { z } from 'zod';
import { parseConfig, positive } from './config.js';
import { decoder } from './decoder.js';
import {
  decoderKeys,
  decoderSizes,
  headWidth,
  layerTypes,
  llamaLike,
  rotaryEmbedding,
  unusable,
  windowKeys,
} from './decoder-config.js';
import { rotarySettings } from './rotary.js';

const schema = z.looseObject({
  ...decoderKeys('smollm3'),
  ...windowKeys,
  hidden_act: z.string(),
  use_sliding_window: z.boolean(),
  no_rope_layers: z.array(z.union([z.number(), z.boolean()])).nullish(),
  no_rope_layer_interval: positive,
  attention_bias: z.boolean(),
  mlp_bias: z.boolean(),
});

/** The base of the published class where a file tells none. */
const THETA = 2_000_000;

/** SmolLM3: Llama with layers, every fourth, that know no positions (NoPE, arXiv 2501.18795). */
export const smollm3 = decoder({
  name: 'smollm3',
  parse: (config) => parseConfig('smollm3', schema, config),
  configure: (d) => ({
    ...decoderSizes('smollm3', 'SmolLM3ForCausalLM', d),
    rms_norm_eps: 1e-6,
    rope_theta: 10_000,
    no_rope_layer_interval: 4,
    use_sliding_window: false,
    initializer_range: 0.02,
    hidden_act: 'silu',
    attention_bias: false,
    mlp_bias: false,
    attention_dropout: 0,
    tie_word_embeddings: true,
    bos_token_id: null,
    eos_token_id: null,
    pad_token_id: null,
    torch_dtype: 'float32',
  }),
  describe: (c) => {
    const { no_rope_layers: told, num_hidden_layers: layers } = c;
    // Named for what it is not: 1 is a layer with positions.
    if (told && told.length < layers) {
      throw unusable('smollm3', `no_rope_layers has ${told.length} entries for ${layers} layers`);
    }
    const placed = (layer: number) => (told ? Boolean(told[layer]) : (layer + 1) % c.no_rope_layer_interval !== 0);
    const rotary = rotaryEmbedding(c, rotarySettings(c, headWidth(c), THETA));
    const window = c.use_sliding_window ? c.sliding_window : undefined;
    const type = layerTypes(c, window, (layer) => !placed(layer));
    return {
      ...llamaLike(c, rotary),
      biases: { queryKeyValue: c.attention_bias, output: c.attention_bias, feedForward: c.mlp_bias },
      attention: (layer) => ({ window: type(layer) === 'sliding_attention' ? (window ?? undefined) : undefined }),
      rotary: (layer) => (placed(layer) ? rotary : undefined),
    };
  },
});
