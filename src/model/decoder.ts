/*
 * Decoders of Llama's kind (arXiv 2302.13971) in Hugging Face's names: a record says what differs, one trace follows it.
 * Shape suffixes: N tokens = T · B, time-major; C width; F width of the hidden layer; H heads; K heads of keys and
 * values; D width of a head.
 */
import { add, gelu, mul, reshape, rmsNorm, scale, shift, silu, split, type Tensor } from '../graph/index.js';
import type {
  Architecture,
  Dimensions,
  ForwardInputs,
  LayerAttention,
  Reach,
  TracedParameters,
} from './architecture.js';
import { dropout } from './dropout.js';
import { embedding } from './embedding.js';
import type { ParameterSpec } from './layout.js';
import { linear } from './linear.js';
import { type RotaryEmbedding, rotate } from './rotary.js';
import { specs } from './specs.js';

/** What a decoder is beside its sizes: all that differs between families, and between models of one. */
export interface DecoderDescription {
  readonly dimensions: Dimensions;
  /** D. */
  readonly headWidth: number;
  /** F. */
  readonly feedForward: number;
  /** The standard deviation of matrices at the start. */
  readonly deviation: number;
  /** What is added to a mean square before its root. */
  readonly epsilon: number;
  /** Whether the head's rows are the embedding's. */
  readonly tied: boolean;
  readonly activation: keyof typeof activations;
  /** What a norm multiplies by: its weight, or 1 more. */
  readonly gain: 'weight' | 'weight + 1';
  /** Norms before attention and the feed-forward part alone, or after each as well. */
  readonly norms: 'before' | 'around';
  /** Whether queries and keys of each head are normalised before they are rotated. */
  readonly queryKeyNorm: boolean;
  /** Whether one matrix holds queries, keys and values, and one gate and up. */
  readonly fused: boolean;
  readonly biases: { readonly queryKeyValue: boolean; readonly output: boolean; readonly feedForward: boolean };
  /** What embeddings are multiplied by. */
  readonly embeddingScale?: number;
  /** What the head's scores x are bent to, c tanh(x / c). */
  readonly softcap?: number | undefined;
  attention(layer: number): LayerAttention;
  /** None where a layer knows no positions. */
  rotary(layer: number): RotaryEmbedding | undefined;
}

const activations = { silu, gelu };

/** A family of decoders: its configuration, and what it describes. */
export interface DecoderFamily<Config extends object> {
  readonly name: string;
  /** @throws UsageError for a configuration that cannot be */
  parse(config: unknown): Config;
  configure(dimensions: Dimensions): unknown;
  /** @throws UsageError for a configuration that cannot be */
  describe(config: Config): DecoderDescription;
}

/** The architecture of a family of decoders. */
export function decoder<Config extends object>(family: DecoderFamily<Config>): Architecture<Config> {
  const described = new WeakMap<Config, DecoderDescription>();
  const of = (config: Config): DecoderDescription => {
    const description = described.get(config) ?? family.describe(config);
    described.set(config, description);
    return description;
  };
  const parse = (config: unknown): Config => {
    const parsed = family.parse(config);
    of(parsed);
    return parsed;
  };
  return {
    name: family.name,
    sees: 'past',
    parse,
    configure: (dimensions) => parse(family.configure(dimensions)),
    dimensions: (c) => of(c).dimensions,
    reach: (c) => reachOf(of(c)),
    head: (c) => (of(c).tied ? 'model.embed_tokens.weight' : 'lm_head.weight'),
    softcap: (c) => of(c).softcap,
    parameters: (c) => parametersOf(of(c)),
    embed: (c, p, { ids_N }) => {
      const x_NC = embedding(p, 'model.embed_tokens', ids_N);
      const { embeddingScale } = of(c);
      return embeddingScale === undefined ? x_NC : scale(x_NC, embeddingScale);
    },
    block: (c, p, i, x_NC, inputs) => block(of(c), p, i, x_NC, inputs),
    final: (c, p, x_NC) => norm(of(c), p, 'model.norm', x_NC),
  };
}

/** As far as the positions of all layers go. */
function reachOf({ dimensions: { layers, context }, rotary }: DecoderDescription): Reach {
  const all = Array.from({ length: layers }, (_, i) => rotary(i)?.reach ?? []).flat();
  if (all.length === 0) return { read: context, written: context };
  const least = (of: keyof Reach) => Math.min(...all.map((each) => each[of]));
  return { read: least('read'), written: least('written') };
}

/** Rows of the matrices of queries, and of keys or values. */
function rowsOf({ dimensions: { heads, keyValueHeads }, headWidth: D }: DecoderDescription) {
  return { query: heads * D, keyValue: keyValueHeads * D };
}

/** The names of a layer's norms, where it has them. */
function normNames({ norms }: DecoderDescription, layer: string) {
  const before = `${layer}.input_layernorm`;
  const after = `${layer}.post_attention_layernorm`;
  if (norms === 'before') return { beforeAttention: before, beforeFeedForward: after };
  return {
    beforeAttention: before,
    afterAttention: after,
    beforeFeedForward: `${layer}.pre_feedforward_layernorm`,
    afterFeedForward: `${layer}.post_feedforward_layernorm`,
  };
}

function parametersOf(d: DecoderDescription): ParameterSpec[] {
  const { width: C, vocabulary, layers } = d.dimensions;
  const { feedForward: F, headWidth: D, biases, fused } = d;
  const { query, keyValue } = rowsOf(d);
  const { matrix, dense } = specs(d.deviation);
  const norm = (name: string | undefined, size = C): ParameterSpec[] =>
    name === undefined
      ? []
      : [{ name: `${name}.weight`, shape: [size], initialization: { fill: d.gain === 'weight' ? 1 : 0 } }];
  const block = (i: number): ParameterSpec[] => {
    const layer = `model.layers.${i}`;
    const attention = `${layer}.self_attn`;
    const names = normNames(d, layer);
    const some = { bias: biases.queryKeyValue };
    const feed = { bias: biases.feedForward };
    return [
      ...norm(names.beforeAttention),
      ...(fused
        ? dense(`${attention}.qkv_proj`, query + 2 * keyValue, C, some)
        : [
            ...dense(`${attention}.q_proj`, query, C, some),
            ...dense(`${attention}.k_proj`, keyValue, C, some),
            ...dense(`${attention}.v_proj`, keyValue, C, some),
          ]),
      ...(d.queryKeyNorm ? [...norm(`${attention}.q_norm`, D), ...norm(`${attention}.k_norm`, D)] : []),
      ...dense(`${attention}.o_proj`, C, query, { bias: biases.output }),
      ...norm(names.afterAttention),
      ...norm(names.beforeFeedForward),
      ...(fused
        ? dense(`${layer}.mlp.gate_up_proj`, 2 * F, C, feed)
        : [...dense(`${layer}.mlp.gate_proj`, F, C, feed), ...dense(`${layer}.mlp.up_proj`, F, C, feed)]),
      ...dense(`${layer}.mlp.down_proj`, C, F, feed),
      ...norm(names.afterFeedForward),
    ];
  };
  return [
    matrix('model.embed_tokens', vocabulary, C),
    ...Array.from({ length: layers }, (_, i) => block(i)).flat(),
    ...norm('model.norm'),
    ...(d.tied ? [] : [matrix('lm_head', vocabulary, C)]),
  ];
}

function block(d: DecoderDescription, p: TracedParameters, i: number, x_NC: Tensor, inputs: ForwardInputs): Tensor {
  const layer = `model.layers.${i}`;
  const names = normNames(d, layer);
  const after = (name: string | undefined, y_NC: Tensor) => (name === undefined ? y_NC : norm(d, p, name, y_NC));
  const r_NC = add(x_NC, dropout(p, after(names.afterAttention, attention(d, p, i, x_NC, inputs))));
  const m_NC = norm(d, p, names.beforeFeedForward, r_NC);
  return add(r_NC, dropout(p, after(names.afterFeedForward, feedForward(d, p, `${layer}.mlp`, m_NC))));
}

function attention(d: DecoderDescription, p: TracedParameters, i: number, x_NC: Tensor, inputs: ForwardInputs): Tensor {
  const B = inputs.batch;
  const T = x_NC.shape[0]! / B;
  const { heads: H, keyValueHeads: K } = d.dimensions;
  const D = d.headWidth;
  const { query, keyValue } = rowsOf(d);
  const layer = `model.layers.${i}`;
  const name = `${layer}.self_attn`;
  const angles = d.rotary(i)?.angles(inputs);
  const a_NC = norm(d, p, normNames(d, layer).beforeAttention, x_NC);
  const inHeads = (x: Tensor, heads: number) => reshape(x, [T, B, heads, D]);
  const project = (): readonly [Tensor, Tensor, Tensor] => {
    if (d.fused) {
      const all = split(linear(p, `${name}.qkv_proj`, a_NC), 1, [query, keyValue, keyValue]);
      const [q, k, v] = all as [Tensor, Tensor, Tensor];
      return [inHeads(q, H), inHeads(k, K), inHeads(v, K)];
    }
    return [
      inHeads(linear(p, `${name}.q_proj`, a_NC), H),
      inHeads(linear(p, `${name}.k_proj`, a_NC), K),
      inHeads(linear(p, `${name}.v_proj`, a_NC), K),
    ];
  };
  const [q, k, v] = project();
  const placed = (x: Tensor, which: 'q' | 'k') => {
    const normed = d.queryKeyNorm ? norm(d, p, `${name}.${which}_norm`, x) : x;
    return angles ? rotate(normed, angles) : normed;
  };
  const o_TBHD = inputs.attend(i, placed(q, 'q'), placed(k, 'k'), v, d.attention(i));
  return linear(p, `${name}.o_proj`, reshape(o_TBHD, [T * B, query]));
}

function feedForward(d: DecoderDescription, p: TracedParameters, name: string, m_NC: Tensor): Tensor {
  const activation = activations[d.activation];
  if (!d.fused) {
    const h_NF = mul(activation(linear(p, `${name}.gate_proj`, m_NC)), linear(p, `${name}.up_proj`, m_NC));
    return linear(p, `${name}.down_proj`, h_NF);
  }
  const both = split(linear(p, `${name}.gate_up_proj`, m_NC), 1, [d.feedForward, d.feedForward]);
  const [gate_NF, up_NF] = both as [Tensor, Tensor];
  return linear(p, `${name}.down_proj`, mul(activation(gate_NF), up_NF));
}

function norm(d: DecoderDescription, p: TracedParameters, name: string, x: Tensor): Tensor {
  const weight = p[`${name}.weight`]!;
  return rmsNorm(x, d.gain === 'weight' ? weight : shift(weight, 1), d.epsilon);
}
