/*
 * DistilBERT (arXiv 1910.01108) in Hugging Face's names and keys.
 * Shape suffixes: N tokens = T · B, time-major; C width; F width of the hidden layer; H heads; D width of a head;
 * M rows of hidden states.
 */
import { z } from 'zod';
import { add, gather, geluErf, layerNorm, relu, reshape, type Tensor } from '../graph/index.js';
import type { Architecture, Dimensions, TracedParameters } from './architecture.js';
import { parseConfig, positive } from './config.js';
import { dropout } from './dropout.js';
import { encoderHeads, labelKeys } from './encoder-heads.js';
import type { ParameterSpec } from './layout.js';
import { linear } from './linear.js';
import { specs } from './specs.js';

// What the values may be beside their types, and their defaults: config-rules.json, published-configs.json.
const schema = z
  .looseObject({
    model_type: z.literal('distilbert'),
    vocab_size: positive,
    dim: positive,
    n_layers: positive,
    n_heads: positive,
    hidden_dim: positive,
    activation: z.string(),
    max_position_embeddings: positive,
    initializer_range: z.number().positive(),
    tie_word_embeddings: z.boolean(),
    ...labelKeys,
  })
  .refine((c) => c.dim % c.n_heads === 0, {
    error: (issue) => {
      const { dim, n_heads } = issue.input as { dim: number; n_heads: number };
      return `width (dim) ${dim} is not divisible by heads (n_heads) ${n_heads}`;
    },
  });

type DistilBertConfig = z.infer<typeof schema>;

const EMBEDDINGS = 'distilbert.embeddings';
const WORDS = `${EMBEDDINGS}.word_embeddings.weight`;
/** The published class has no key for it. */
const EPSILON = 1e-12;

const norm = (p: TracedParameters, name: string, x: Tensor): Tensor =>
  layerNorm(x, p[`${name}.weight`]!, p[`${name}.bias`]!, EPSILON);

const { masked, sequence, tokens, span, layer } = encoderHeads<DistilBertConfig>({
  width: (c) => c.dim,
  std: (c) => c.initializer_range,
});
const vocabulary = layer('vocab_transform', geluErf);

/** An encoder without kinds of tokens: every token attends to all others. */
export const distilbert: Architecture<DistilBertConfig> = {
  name: 'distilbert',
  sees: 'all',
  parse: (config) => parseConfig('distilbert', schema, config),
  configure: (d: Dimensions) =>
    distilbert.parse({
      architectures: ['DistilBertForMaskedLM'],
      model_type: 'distilbert',
      vocab_size: d.vocabulary,
      dim: d.width,
      n_layers: d.layers,
      n_heads: d.heads,
      hidden_dim: 4 * d.width,
      activation: 'gelu',
      max_position_embeddings: d.context,
      sinusoidal_pos_embds: false,
      initializer_range: 0.02,
      dropout: 0,
      attention_dropout: 0,
      qa_dropout: 0,
      seq_classif_dropout: 0,
      // The published class takes token 0 for padding where the file does not say otherwise.
      pad_token_id: null,
      tie_word_embeddings: true,
      torch_dtype: 'float32',
    }),
  dimensions: (c) => ({
    layers: c.n_layers,
    width: c.dim,
    heads: c.n_heads,
    keyValueHeads: c.n_heads,
    context: c.max_position_embeddings,
    vocabulary: c.vocab_size,
  }),
  head: () => WORDS,
  heads: {
    ForMaskedLM: masked(
      {
        transform: {
          parameters: (c) => [
            ...vocabulary.parameters(c),
            ...specs(c.initializer_range).norm('vocab_layer_norm', c.dim),
          ],
          trace: (c, p, x_MC) => norm(p, 'vocab_layer_norm', vocabulary.trace(c, p, x_MC)),
        },
        bias: () => 'vocab_projector',
      },
      { rows: WORDS, vocabulary: (c) => c.vocab_size },
    ),
    ForSequenceClassification: sequence('classifier', layer('pre_classifier', relu)),
    ForTokenClassification: tokens('classifier'),
    ForQuestionAnswering: span('qa_outputs'),
  },

  parameters(c) {
    const C = c.dim;
    const { matrix, dense, norm: normed } = specs(c.initializer_range);
    const block = (i: number): ParameterSpec[] => {
      const at = `distilbert.transformer.layer.${i}`;
      return [
        ...['q_lin', 'k_lin', 'v_lin', 'out_lin'].flatMap((name) => dense(`${at}.attention.${name}`, C, C)),
        ...normed(`${at}.sa_layer_norm`, C),
        ...dense(`${at}.ffn.lin1`, c.hidden_dim, C),
        ...dense(`${at}.ffn.lin2`, C, c.hidden_dim),
        ...normed(`${at}.output_layer_norm`, C),
      ];
    };
    return [
      matrix(`${EMBEDDINGS}.word_embeddings`, c.vocab_size, C),
      matrix(`${EMBEDDINGS}.position_embeddings`, c.max_position_embeddings, C),
      ...normed(`${EMBEDDINGS}.LayerNorm`, C),
      ...Array.from({ length: c.n_layers }, (_, i) => block(i)).flat(),
    ];
  },

  embed(c, p, { ids_N, batch: B, positions_T }) {
    const C = c.dim;
    const T = positions_T.shape[0]!;
    const tokens_TBC = reshape(gather(p[WORDS]!, ids_N), [T, B, C]);
    const places_TC = gather(p[`${EMBEDDINGS}.position_embeddings.weight`]!, positions_T);
    const sum_TBC = add(tokens_TBC, reshape(places_TC, [T, 1, C]));
    return dropout(p, norm(p, `${EMBEDDINGS}.LayerNorm`, reshape(sum_TBC, [T * B, C])));
  },

  block(c, p, i, x_NC, { batch: B, positions_T, attend }) {
    const C = c.dim;
    const T = positions_T.shape[0]!;
    const at = `distilbert.transformer.layer.${i}`;
    const heads = (name: string) =>
      reshape(linear(p, `${at}.attention.${name}`, x_NC), [T, B, c.n_heads, C / c.n_heads]);
    const o_NC = reshape(attend(i, heads('q_lin'), heads('k_lin'), heads('v_lin')), [T * B, C]);
    const a_NC = norm(p, `${at}.sa_layer_norm`, add(linear(p, `${at}.attention.out_lin`, o_NC), x_NC));
    const h_NF = geluErf(linear(p, `${at}.ffn.lin1`, a_NC));
    return norm(p, `${at}.output_layer_norm`, add(dropout(p, linear(p, `${at}.ffn.lin2`, h_NF)), a_NC));
  },

  final: (_config, _parameters, x_NC) => x_NC,
};
