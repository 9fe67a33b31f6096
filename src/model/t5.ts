/*
 * T5 (arXiv 1910.10683) and its version 1.1 (arXiv 2002.05202) in Hugging Face's names and keys.
 * Shape suffixes: N tokens = T · B, time-major; M tokens of the source = S · B; C width; F width of the hidden layer;
 * H heads; D width of a head.
 */
import { z } from 'zod';
import { add, gather, mul, reshape, rmsNorm, scale, type Tensor } from '../graph/index.js';
import { type ActivationName, activations } from './activations.js';
import type { Architecture, Dimensions, ForwardInputs, LayerAttention, TracedParameters } from './architecture.js';
import { parseConfig, positive } from './config.js';
import { unusable } from './decoder-config.js';
import { dropout } from './dropout.js';
import type { ParameterSpec } from './layout.js';
import { linear } from './linear.js';
import { bucketOf } from './relative-bias.js';
import { specs } from './specs.js';

const above0 = z.number().positive();

// What the values may be beside their types, and their defaults: config-rules.json, published-configs.json.
const schema = z.looseObject({
  model_type: z.literal('t5'),
  vocab_size: positive,
  d_model: positive,
  d_kv: positive,
  d_ff: positive,
  num_layers: positive,
  num_decoder_layers: positive.nullish(),
  num_heads: positive,
  relative_attention_num_buckets: positive,
  relative_attention_max_distance: positive,
  layer_norm_epsilon: above0,
  initializer_factor: above0,
  feed_forward_proj: z.string(),
  is_gated_act: z.boolean().nullish(),
  dense_act_fn: z.string().nullish(),
  tie_word_embeddings: z.boolean().nullish(),
  scale_decoder_outputs: z.boolean().nullish(),
  n_positions: positive.nullish(),
});

type T5Config = z.infer<typeof schema>;

/** Its two stacks of layers. */
type Side = 'encoder' | 'decoder';

const WORDS = 'shared.weight';
/** The length that it was published with; its positions have no end. */
const CONTEXT = 512;

/** The hidden layer's kind: `gated-ACTIVATION` or `ACTIVATION`, where a gated gelu is the tanh form. */
function feedForwardOf({ feed_forward_proj: kind }: T5Config): { gated: boolean; activation: ActivationName } {
  const gated = kind.startsWith('gated-');
  const name = (gated ? kind.slice('gated-'.length) : kind) as ActivationName;
  return { gated, activation: kind === 'gated-gelu' ? 'gelu_new' : name };
}

/** Whether the head is the embedding, and what it scores divided by √C; of version 1.1 it has rows of its own. */
const isTied = (c: T5Config): boolean => (c.scale_decoder_outputs ?? c.tie_word_embeddings) !== false;

const decoderLayers = (c: T5Config): number => c.num_decoder_layers ?? c.num_layers;

function checked(c: T5Config): T5Config {
  const { gated, activation } = feedForwardOf(c);
  const { relative_attention_num_buckets: buckets, relative_attention_max_distance: farthest } = c;
  if ((c.is_gated_act ?? gated) !== gated || (c.dense_act_fn ?? activation) !== activation)
    throw unusable(
      't5',
      `is_gated_act ${c.is_gated_act} and dense_act_fn ${JSON.stringify(c.dense_act_fn)?.slice(0, 40)} are not those of ` +
        `feed_forward_proj ${c.feed_forward_proj}, which are ${gated} and "${activation}"`,
    );
  // The ranges of the encoder begin at a quarter of all buckets, those of the decoder at half of them.
  if (buckets < 4 || buckets % 2 !== 0 || farthest <= buckets / 2)
    throw unusable(
      't5',
      `relative_attention_num_buckets ${buckets} must be even, 4 or more, and less than twice ` +
        `relative_attention_max_distance ${farthest}`,
    );
  return c;
}

/** Encoder and decoder with learned numbers for distances in place of positions. */
export const t5: Architecture<T5Config> = {
  name: 't5',
  sees: 'past and source',
  parse: (config) => checked(parseConfig('t5', schema, config)),
  configure: (d: Dimensions) =>
    t5.parse({
      architectures: ['T5ForConditionalGeneration'],
      model_type: 't5',
      vocab_size: d.vocabulary,
      d_model: d.width,
      d_kv: Math.max(1, Math.floor(d.width / d.heads)),
      d_ff: 4 * d.width,
      num_layers: d.layers,
      num_decoder_layers: d.layers,
      num_heads: d.heads,
      relative_attention_num_buckets: 32,
      relative_attention_max_distance: 128,
      layer_norm_epsilon: 1e-6,
      initializer_factor: 1,
      feed_forward_proj: 'relu',
      dropout_rate: 0,
      is_encoder_decoder: true,
      tie_word_embeddings: true,
      n_positions: d.context,
      torch_dtype: 'float32',
    }),
  dimensions: (c) => ({
    layers: decoderLayers(c),
    width: c.d_model,
    heads: c.num_heads,
    keyValueHeads: c.num_heads,
    context: c.n_positions ?? CONTEXT,
    vocabulary: c.vocab_size,
  }),
  head: (c) => (isTied(c) ? WORDS : 'lm_head.weight'),

  parameters(c) {
    const [C, F] = [c.d_model, c.d_ff];
    const inner = c.num_heads * c.d_kv;
    const factor = c.initializer_factor;
    const matrix = (name: string, rows: number, columns: number, std: number) =>
      specs(factor * std).matrix(name, rows, columns);
    const norm = (name: string): ParameterSpec => ({
      name: `${name}.weight`,
      shape: [C],
      initialization: { fill: factor },
    });
    // The scale that attention leaves out stands in how queries begin.
    const attention = (at: string) => [
      matrix(`${at}.q`, inner, C, (C * c.d_kv) ** -0.5),
      matrix(`${at}.k`, inner, C, C ** -0.5),
      matrix(`${at}.v`, inner, C, C ** -0.5),
      matrix(`${at}.o`, C, inner, inner ** -0.5),
    ];
    const inward = feedForwardOf(c).gated ? ['wi_0', 'wi_1'] : ['wi'];
    const block = (side: Side, i: number): ParameterSpec[] => {
      const at = `${side}.block.${i}.layer`;
      const feed = side === 'encoder' ? 1 : 2;
      const places = `${at}.0.SelfAttention.relative_attention_bias`;
      return [
        ...attention(`${at}.0.SelfAttention`),
        ...(i === 0 ? [matrix(places, c.relative_attention_num_buckets, c.num_heads, C ** -0.5)] : []),
        norm(`${at}.0.layer_norm`),
        ...(side === 'encoder' ? [] : [...attention(`${at}.1.EncDecAttention`), norm(`${at}.1.layer_norm`)]),
        ...inward.map((name) => matrix(`${at}.${feed}.DenseReluDense.${name}`, F, C, C ** -0.5)),
        matrix(`${at}.${feed}.DenseReluDense.wo`, C, F, F ** -0.5),
        norm(`${at}.${feed}.layer_norm`),
      ];
    };
    const stack = (side: Side, layers: number) => [
      ...Array.from({ length: layers }, (_, i) => block(side, i)).flat(),
      norm(`${side}.final_layer_norm`),
    ];
    return [
      matrix('shared', c.vocab_size, C, 1),
      ...stack('encoder', c.num_layers),
      ...stack('decoder', decoderLayers(c)),
      ...(isTied(c) ? [] : [matrix('lm_head', c.vocab_size, C, 1)]),
    ];
  },

  embed: (_c, p, { ids_N }) => dropout(p, gather(p[WORDS]!, ids_N)),
  block: (c, p, i, x_NC, inputs) => {
    const seen_NC = selfAttention(c, p, 'decoder', i, x_NC, inputs);
    return feedForward(c, p, `decoder.block.${i}.layer.2`, sourceAttention(c, p, i, seen_NC, inputs));
  },
  final: (c, p, x_NC) => {
    const last_NC = dropout(p, norm(c, p, 'decoder.final_layer_norm', x_NC));
    return isTied(c) ? scale(last_NC, c.d_model ** -0.5) : last_NC;
  },
  encoder: {
    layers: (c) => c.num_layers,
    embed: (_c, p, { ids_N }) => dropout(p, gather(p[WORDS]!, ids_N)),
    block: (c, p, i, x_MC, inputs) =>
      feedForward(c, p, `encoder.block.${i}.layer.1`, selfAttention(c, p, 'encoder', i, x_MC, inputs)),
    final: (c, p, x_MC) => dropout(p, norm(c, p, 'encoder.final_layer_norm', x_MC)),
  },
};

const norm = (c: T5Config, p: TracedParameters, name: string, x: Tensor): Tensor =>
  rmsNorm(x, p[`${name}.weight`]!, c.layer_norm_epsilon);

const inHeads = (c: T5Config, x: Tensor, batch: number): Tensor =>
  reshape(x, [x.shape[0]! / batch, batch, c.num_heads, c.d_kv]);

const outOfHeads = (x_TBHD: Tensor): Tensor => {
  const [T, B, H, D] = x_TBHD.shape as [number, number, number, number];
  return reshape(x_TBHD, [T * B, H * D]);
};

function selfAttention(
  c: T5Config,
  p: TracedParameters,
  side: Side,
  i: number,
  x_NC: Tensor,
  { batch, attend }: ForwardInputs,
): Tensor {
  const layer = `${side}.block.${i}.layer.0`;
  const a_NC = norm(c, p, `${layer}.layer_norm`, x_NC);
  const part = (name: string) => inHeads(c, linear(p, `${layer}.SelfAttention.${name}`, a_NC), batch);
  const buckets = {
    count: c.relative_attention_num_buckets,
    farthest: c.relative_attention_max_distance,
    bothWays: side === 'encoder',
  };
  const options: LayerAttention = {
    scale: 1,
    relative: {
      table_RH: p[`${side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight`]!,
      bucket: (distance) => bucketOf(distance, buckets),
      farthest: buckets.farthest,
    },
  };
  const o_TBHD = attend(i, part('q'), part('k'), part('v'), options);
  return add(x_NC, dropout(p, linear(p, `${layer}.SelfAttention.o`, outOfHeads(o_TBHD))));
}

function sourceAttention(
  c: T5Config,
  p: TracedParameters,
  i: number,
  x_NC: Tensor,
  { batch, attendSource }: ForwardInputs,
): Tensor {
  const layer = `decoder.block.${i}.layer.1`;
  const name = (part: string) => `${layer}.EncDecAttention.${part}`;
  const q_TBHD = inHeads(c, linear(p, name('q'), norm(c, p, `${layer}.layer_norm`, x_NC)), batch);
  const part = (which: 'k' | 'v', x_MC: Tensor) => inHeads(c, linear(p, name(which), x_MC), batch);
  const o_TBHD = attendSource!(i, q_TBHD, (x_MC) => [part('k', x_MC), part('v', x_MC)], { scale: 1 });
  return add(x_NC, dropout(p, linear(p, name('o'), outOfHeads(o_TBHD))));
}

function feedForward(c: T5Config, p: TracedParameters, layer: string, x_NC: Tensor): Tensor {
  const { gated, activation } = feedForwardOf(c);
  const m_NC = norm(c, p, `${layer}.layer_norm`, x_NC);
  const inward = (name: string) => linear(p, `${layer}.DenseReluDense.${name}`, m_NC);
  const bent = activations[activation];
  const h_NF = gated ? mul(bent(inward('wi_0')), inward('wi_1')) : bent(inward('wi'));
  return add(x_NC, dropout(p, linear(p, `${layer}.DenseReluDense.wo`, dropout(p, h_NF))));
}
