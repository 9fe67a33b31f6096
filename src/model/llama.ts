import { z } from 'zod';
import { parseConfig } from './config.js';
import { decoder } from './decoder.js';
import { decoderKeys, decoderSizes, llamaLike } from './decoder-config.js';

const { tie_word_embeddings, ...keys } = decoderKeys('llama');
const schema = z.looseObject({
  ...keys,
  hidden_act: z.string(),
  attention_bias: z.boolean().optional(),
  mlp_bias: z.boolean().optional(),
  tie_word_embeddings,
});

/** Llama (arXiv 2302.13971, grouped queries arXiv 2305.13245) in Hugging Face's names and keys. */
export const llama = decoder({
  name: 'llama',
  parse: (config) => parseConfig('llama', schema, config),
  configure: (d) => ({
    ...decoderSizes('llama', 'LlamaForCausalLM', d),
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    initializer_range: 0.02,
    hidden_act: 'silu',
    attention_bias: false,
    mlp_bias: false,
    attention_dropout: 0,
    tie_word_embeddings: false,
    torch_dtype: 'float32',
  }),
  describe: (c) => {
    const bias = c.attention_bias === true;
    return {
      ...llamaLike(c),
      biases: { queryKeyValue: bias, output: bias, feedForward: c.mlp_bias === true },
    };
  },
});
