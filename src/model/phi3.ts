import { z } from 'zod';
import { parseConfig, positive } from './config.js';
import { decoder } from './decoder.js';
import { decoderKeys, decoderSizes, headWidth, llamaLike, rotaryEmbedding } from './decoder-config.js';
import { rotarySettings } from './rotary.js';

const schema = z.looseObject({
  ...decoderKeys('phi3'),
  hidden_act: z.string(),
  partial_rotary_factor: z.number().positive().max(1).nullish(),
  sliding_window: positive.nullish(),
});

/** Older names of LongRoPE in files of this family, which the published class reads so. */
const LONGROPE = ['su', 'yarn'];

/**
 * Phi-3 (arXiv 2404.14219): Llama with fused matrices, and positions in a part of each head. With LongRoPE
 * (arXiv 2402.13753) its context is the original one; longer sequences have the long factors.
 */
export const phi3 = decoder({
  name: 'phi3',
  parse: (config) => parseConfig('phi3', schema, config),
  configure: (d) => ({
    ...decoderSizes('phi3', 'Phi3ForCausalLM', d),
    original_max_position_embeddings: d.context,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    sliding_window: null,
    initializer_range: 0.02,
    hidden_act: 'silu',
    attention_dropout: 0,
    embd_pdrop: 0,
    resid_pdrop: 0,
    tie_word_embeddings: false,
    bos_token_id: null,
    eos_token_id: null,
    pad_token_id: null,
    torch_dtype: 'float32',
  }),
  describe: (c) => {
    const whole = rotarySettings(c, headWidth(c));
    const part = whole.partial_rotary_factor ?? c.partial_rotary_factor ?? 1;
    const rotary = rotaryEmbedding(c, {
      ...whole,
      width: Math.floor(headWidth(c) * part),
      rope_type: LONGROPE.includes(whole.rope_type) ? 'longrope' : whole.rope_type,
    });
    return {
      ...llamaLike(c, rotary),
      fused: true,
      attention: () => ({ window: c.sliding_window ?? undefined }),
    };
  },
});
