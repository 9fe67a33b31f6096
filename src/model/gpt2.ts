/*
 * GPT-2 (Radford et al., 2019) in Hugging Face's names and keys.
 * Shape suffixes: N tokens = T · B, time-major; C width; F width of the hidden layer; H heads; D width of a head.
 */
import { z } from 'zod';
import { add, gather, gelu, layerNorm, reshape, split, type Tensor } from '../graph/index.js';
import type { Architecture, Dimensions, TracedParameters } from './architecture.js';
import { parseConfig, positive } from './config.js';
import { dropout } from './dropout.js';
import { embedding } from './embedding.js';
import type { ParameterSpec } from './layout.js';
import { linear } from './linear.js';

// What the values may be beside their types, and their defaults: config-rules.json, published-configs.json.
const schema = z
  .looseObject({
    model_type: z.literal('gpt2'),
    vocab_size: positive,
    n_positions: positive,
    n_embd: positive,
    n_layer: positive,
    n_head: positive,
    n_inner: positive.nullish(),
    activation_function: z.string(),
    layer_norm_epsilon: z.number().positive(),
    initializer_range: z.number().positive(),
    tie_word_embeddings: z.boolean(),
  })
  .refine((c) => c.n_embd % c.n_head === 0, {
    error: (issue) => {
      const { n_embd, n_head } = issue.input as { n_embd: number; n_head: number };
      return `width (n_embd) ${n_embd} is not divisible by heads (n_head) ${n_head}`;
    },
  });

export type Gpt2Config = z.infer<typeof schema>;

const inner = (c: Gpt2Config): number => c.n_inner ?? 4 * c.n_embd;

export const gpt2: Architecture<Gpt2Config> = {
  name: 'gpt2',
  sees: 'past',
  parse: (config) => parseConfig('gpt2', schema, config),
  configure: (d: Dimensions) =>
    gpt2.parse({
      architectures: ['GPT2LMHeadModel'],
      model_type: 'gpt2',
      vocab_size: d.vocabulary,
      n_positions: d.context,
      n_embd: d.width,
      n_layer: d.layers,
      n_head: d.heads,
      n_inner: null,
      activation_function: 'gelu_new',
      layer_norm_epsilon: 1e-5,
      initializer_range: 0.02,
      tie_word_embeddings: true,
      resid_pdrop: 0,
      embd_pdrop: 0,
      attn_pdrop: 0,
      torch_dtype: 'float32',
    }),
  dimensions: (c) => ({
    layers: c.n_layer,
    width: c.n_embd,
    heads: c.n_head,
    keyValueHeads: c.n_head,
    context: c.n_positions,
    vocabulary: c.vocab_size,
  }),
  head: () => 'transformer.wte.weight',

  parameters(c) {
    const C = c.n_embd;
    const F = inner(c);
    const normal = { normal: c.initializer_range };
    // Projections into the residual stream start smaller, so that its variance does not grow with depth.
    const residual = { normal: c.initializer_range / Math.sqrt(2 * c.n_layer) };
    const norm = (name: string): ParameterSpec[] => [
      { name: `${name}.weight`, shape: [C], initialization: { fill: 1 } },
      { name: `${name}.bias`, shape: [C], initialization: { fill: 0 } },
    ];
    const dense = (name: string, rows: number, columns: number, initialization = normal): ParameterSpec[] => [
      { name: `${name}.weight`, shape: [rows, columns], initialization },
      { name: `${name}.bias`, shape: [columns], initialization: { fill: 0 } },
    ];
    const block = (i: number): ParameterSpec[] => [
      ...norm(`transformer.h.${i}.ln_1`),
      ...dense(`transformer.h.${i}.attn.c_attn`, C, 3 * C),
      ...dense(`transformer.h.${i}.attn.c_proj`, C, C, residual),
      ...norm(`transformer.h.${i}.ln_2`),
      ...dense(`transformer.h.${i}.mlp.c_fc`, C, F),
      ...dense(`transformer.h.${i}.mlp.c_proj`, F, C, residual),
    ];
    return [
      { name: 'transformer.wte.weight', shape: [c.vocab_size, C], initialization: normal },
      { name: 'transformer.wpe.weight', shape: [c.n_positions, C], initialization: normal },
      ...Array.from({ length: c.n_layer }, (_, i) => block(i)).flat(),
      ...norm('transformer.ln_f'),
    ];
  },

  embed(c, p, { ids_N, batch: B, positions_T }) {
    const C = c.n_embd;
    const T = ids_N.shape[0]! / B;
    const tokens_TBC = reshape(embedding(p, 'transformer.wte', ids_N), [T, B, C]);
    // Of the time steps, [T, 1, C], or of the tokens.
    const places = reshape(gather(p['transformer.wpe.weight']!, positions_T), [T, positions_T.shape[0]! / T, C]);
    return dropout(p, reshape(add(tokens_TBC, places), [T * B, C]));
  },

  block(c, p, i, x_NC, { batch: B, attend }) {
    const C = c.n_embd;
    const T = x_NC.shape[0]! / B;
    const block = `transformer.h.${i}`;
    const heads = (x: Tensor) => reshape(x, [T, B, c.n_head, C / c.n_head]);
    const dense = (name: string, x: Tensor) => linear(p, name, x, 'inputs');
    const qkv = dense(`${block}.attn.c_attn`, norm(c, p, `${block}.ln_1`, x_NC));
    const [q, k, v] = split(qkv, 1, [C, C, C]).map(heads) as [Tensor, Tensor, Tensor];
    const o_NC = reshape(attend(i, q, k, v), [T * B, C]);
    const a_NC = add(x_NC, dropout(p, dense(`${block}.attn.c_proj`, o_NC)));
    const h_NF = gelu(dense(`${block}.mlp.c_fc`, norm(c, p, `${block}.ln_2`, a_NC)));
    return add(a_NC, dropout(p, dense(`${block}.mlp.c_proj`, h_NF)));
  },

  final: (c, p, x_NC) => norm(c, p, 'transformer.ln_f', x_NC),
};

function norm(c: Gpt2Config, p: TracedParameters, name: string, x_NC: Tensor): Tensor {
  return layerNorm(x_NC, p[`${name}.weight`]!, p[`${name}.bias`]!, c.layer_norm_epsilon);
}
