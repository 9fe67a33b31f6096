import { z } from 'zod';
import { parseConfig, positive } from './config.js';
import { decoder } from './decoder.js';
import { decoderKeys, decoderSizes, llamaLike } from './decoder-config.js';

const schema = z.looseObject({
  ...decoderKeys('mistral'),
  hidden_act: z.string(),
  sliding_window: positive.nullish(),
});

/** Mistral (arXiv 2310.06825): Llama with a window that all layers see the past through. */
export const mistral = decoder({
  name: 'mistral',
  parse: (config) => parseConfig('mistral', schema, config),
  configure: (d) => ({
    ...decoderSizes('mistral', 'MistralForCausalLM', d),
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    sliding_window: null,
    initializer_range: 0.02,
    hidden_act: 'silu',
    attention_dropout: 0,
    tie_word_embeddings: false,
    torch_dtype: 'float32',
  }),
  describe: (c) => ({ ...llamaLike(c), attention: () => ({ window: c.sliding_window ?? undefined }) }),
});
