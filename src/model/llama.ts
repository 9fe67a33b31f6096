/*
 * Llama (arXiv 2302.13971, grouped queries arXiv 2305.13245) in Hugging Face's names and keys.
 * Shape suffixes: N tokens = T · B, time-major; C width; F width of the hidden layer; H heads; K heads of keys and
 * values; D width of a head.
 */
import { z } from 'zod';
import { add, constant, gather, mul, reshape, rmsNorm, rotary, silu, type Tensor } from '../graph/index.js';
import type { Architecture, Dimensions, ForwardInputs, TracedParameters } from './architecture.js';
import { parseConfig, positive } from './config.js';
import type { ParameterSpec } from './layout.js';
import { linear } from './linear.js';

const theta = z.number().positive().nullish();
const rope = z.looseObject({ rope_theta: theta }).nullish();

// What the values may be beside their types, and their defaults: config-rules.json, published-configs.json.
const schema = z
  .looseObject({
    model_type: z.literal('llama'),
    vocab_size: positive,
    hidden_size: positive,
    intermediate_size: positive,
    num_hidden_layers: positive,
    num_attention_heads: positive,
    num_key_value_heads: positive.nullish(),
    head_dim: positive.nullish(),
    max_position_embeddings: positive,
    rms_norm_eps: z.number().positive(),
    rope_theta: theta,
    rope_parameters: rope,
    rope_scaling: rope,
    initializer_range: z.number().positive(),
    hidden_act: z.string(),
    attention_bias: z.boolean().optional(),
    mlp_bias: z.boolean().optional(),
    tie_word_embeddings: z.boolean(),
  })
  .check((context) => {
    const c = context.value;
    const fail = (message: string) => context.issues.push({ code: 'custom', message, input: c });
    if (c.num_attention_heads % keyValueHeads(c) !== 0) {
      fail(`heads ${c.num_attention_heads} are not divisible by key and value heads ${keyValueHeads(c)}`);
    }
    if (!c.head_dim && c.hidden_size % c.num_attention_heads !== 0) {
      fail(`width (hidden_size) ${c.hidden_size} is not divisible by heads ${c.num_attention_heads}`);
    } else if (headWidth(c) % 2 !== 0) {
      fail(`a head's width must be even for rotary positions, got ${headWidth(c)}`);
    }
  });

export type LlamaConfig = z.infer<typeof schema>;

type Sizes = Pick<LlamaConfig, 'head_dim' | 'hidden_size' | 'num_attention_heads' | 'num_key_value_heads'>;

function headWidth(c: Sizes): number {
  return c.head_dim ?? c.hidden_size / c.num_attention_heads;
}

function keyValueHeads(c: Sizes): number {
  return c.num_key_value_heads ?? c.num_attention_heads;
}

/** The base of the angles: in the newer spelling, the older of it, or the oldest, as the published class reads them. */
function rotaryBase(c: LlamaConfig): number {
  const rope = Object.keys(c.rope_scaling ?? {}).length > 0 ? c.rope_scaling : c.rope_parameters;
  return rope?.rope_theta ?? c.rope_theta ?? 10_000;
}

/** Cosines and sines of every position's angles, as rows to gather from: [positions, D/2]. */
function rotaryTable(c: LlamaConfig, f: (angle: number) => number): Tensor {
  const half = headWidth(c) / 2;
  const base = rotaryBase(c);
  const table = new Float32Array(c.max_position_embeddings * half);
  for (let i = 0; i < table.length; i++) table[i] = f(Math.floor(i / half) * base ** (-(i % half) / half));
  return constant(table, [c.max_position_embeddings, half]);
}

/** Llama's hidden width for a model width: 8/3 of it, rounded up to a multiple of 32. */
const hiddenWidth = (width: number): number => Math.ceil((8 * width) / 3 / 32) * 32;

export const llama: Architecture<LlamaConfig> = {
  name: 'llama',
  sees: 'past',
  parse: (config) => parseConfig('llama', schema, config),
  configure: (d: Dimensions) =>
    llama.parse({
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      vocab_size: d.vocabulary,
      hidden_size: d.width,
      intermediate_size: hiddenWidth(d.width),
      num_hidden_layers: d.layers,
      num_attention_heads: d.heads,
      num_key_value_heads: d.keyValueHeads,
      max_position_embeddings: d.context,
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
  dimensions: (c) => ({
    layers: c.num_hidden_layers,
    width: c.hidden_size,
    heads: c.num_attention_heads,
    keyValueHeads: keyValueHeads(c),
    context: c.max_position_embeddings,
    vocabulary: c.vocab_size,
  }),
  head: (c) => (c.tie_word_embeddings ? 'model.embed_tokens.weight' : 'lm_head.weight'),

  parameters(c) {
    const C = c.hidden_size;
    const F = c.intermediate_size;
    const D = headWidth(c);
    const K = keyValueHeads(c);
    const matrix = (name: string, rows: number, columns: number): ParameterSpec => ({
      name: `${name}.weight`,
      shape: [rows, columns],
      initialization: { normal: c.initializer_range },
    });
    const norm = (name: string): ParameterSpec => ({
      name: `${name}.weight`,
      shape: [C],
      initialization: { fill: 1 },
    });
    const block = (i: number): ParameterSpec[] => [
      norm(`model.layers.${i}.input_layernorm`),
      matrix(`model.layers.${i}.self_attn.q_proj`, c.num_attention_heads * D, C),
      matrix(`model.layers.${i}.self_attn.k_proj`, K * D, C),
      matrix(`model.layers.${i}.self_attn.v_proj`, K * D, C),
      matrix(`model.layers.${i}.self_attn.o_proj`, C, c.num_attention_heads * D),
      norm(`model.layers.${i}.post_attention_layernorm`),
      matrix(`model.layers.${i}.mlp.gate_proj`, F, C),
      matrix(`model.layers.${i}.mlp.up_proj`, F, C),
      matrix(`model.layers.${i}.mlp.down_proj`, C, F),
    ];
    return [
      matrix('model.embed_tokens', c.vocab_size, C),
      ...Array.from({ length: c.num_hidden_layers }, (_, i) => block(i)).flat(),
      norm('model.norm'),
      ...(c.tie_word_embeddings ? [] : [matrix('lm_head', c.vocab_size, C)]),
    ];
  },

  embed: (_c, p, { ids_N }) => gather(p['model.embed_tokens.weight']!, ids_N),

  block(c, p, i, x_NC, inputs) {
    const B = inputs.batch;
    const T = x_NC.shape[0]! / B;
    const D = headWidth(c);
    const K = keyValueHeads(c);
    const block = `model.layers.${i}`;
    const { cos, sin } = angles(c, inputs);
    const a_NC = norm(c, p, `${block}.input_layernorm`, x_NC);
    const q = reshape(linear(p, `${block}.self_attn.q_proj`, a_NC), [T, B, c.num_attention_heads, D]);
    const k = reshape(linear(p, `${block}.self_attn.k_proj`, a_NC), [T, B, K, D]);
    const v = reshape(linear(p, `${block}.self_attn.v_proj`, a_NC), [T, B, K, D]);
    const o = inputs.attend(i, rotary(q, cos, sin), rotary(k, cos, sin), v);
    const o_NC = reshape(o, [T * B, c.num_attention_heads * D]);
    const r_NC = add(x_NC, linear(p, `${block}.self_attn.o_proj`, o_NC));
    const m_NC = norm(c, p, `${block}.post_attention_layernorm`, r_NC);
    const h_NF = mul(silu(linear(p, `${block}.mlp.gate_proj`, m_NC)), linear(p, `${block}.mlp.up_proj`, m_NC));
    return add(r_NC, linear(p, `${block}.mlp.down_proj`, h_NF));
  },

  final: (c, p, x_NC) => norm(c, p, 'model.norm', x_NC),
};

function norm(c: LlamaConfig, p: TracedParameters, name: string, x_NC: Tensor): Tensor {
  return rmsNorm(x_NC, p[`${name}.weight`]!, c.rms_norm_eps);
}

/** Of a forward pass: its blocks share them. */
const tables = new WeakMap<ForwardInputs, { readonly cos: Tensor; readonly sin: Tensor }>();

/** Cosines and sines of the angles at the positions of a forward pass, [T, 1, 1, D/2] each, or [T, B, 1, D/2]. */
function angles(c: LlamaConfig, inputs: ForwardInputs): { readonly cos: Tensor; readonly sin: Tensor } {
  const known = tables.get(inputs);
  if (known) return known;
  const { positions_T, ids_N, batch } = inputs;
  const T = ids_N.shape[0]! / batch;
  const shape = [T, positions_T.shape[0]! / T, 1, headWidth(c) / 2];
  const rows = (f: (angle: number) => number) => reshape(gather(rotaryTable(c, f), positions_T), shape);
  const made = { cos: rows(Math.cos), sin: rows(Math.sin) };
  tables.set(inputs, made);
  return made;
}
