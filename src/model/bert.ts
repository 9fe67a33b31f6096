/*
 * BERT (arXiv 1810.04805) with the head of masked language modelling, in Hugging Face's names and keys.
 * Shape suffixes: N tokens = T · B, time-major; C width; F width of the hidden layer; H heads; D width of a head;
 * M tokens to be told; V vocabulary.
 */
import { z } from 'zod';
import { add, gather, geluErf, gemm, layerNorm, reshape, split, type Tensor } from '../graph/index.js';
import type { Architecture, Dimensions, TracedParameters } from './architecture.js';
import { parseConfig, positive } from './config.js';
import type { ParameterSpec } from './layout.js';
import { linear } from './linear.js';

// What the values may be beside their types, and their defaults: config-rules.json, published-configs.json.
const schema = z
  .looseObject({
    model_type: z.literal('bert'),
    vocab_size: positive,
    hidden_size: positive,
    num_hidden_layers: positive,
    num_attention_heads: positive,
    intermediate_size: positive,
    hidden_act: z.string(),
    max_position_embeddings: positive,
    type_vocab_size: positive,
    initializer_range: z.number().positive(),
    layer_norm_eps: z.number().positive(),
    tie_word_embeddings: z.boolean(),
  })
  .refine((c) => c.hidden_size % c.num_attention_heads === 0, {
    error: (issue) => {
      const { hidden_size, num_attention_heads } = issue.input as { hidden_size: number; num_attention_heads: number };
      return `width (hidden_size) ${hidden_size} is not divisible by heads (num_attention_heads) ${num_attention_heads}`;
    },
  });

export type BertConfig = z.infer<typeof schema>;

const EMBEDDINGS = 'bert.embeddings';
const HEAD = 'cls.predictions';

const norm = (c: BertConfig, p: TracedParameters, name: string, x: Tensor): Tensor =>
  layerNorm(x, p[`${name}.weight`]!, p[`${name}.bias`]!, c.layer_norm_eps);

/** An encoder: every token attends to all others, and a head of its own tells the tokens that were masked. */
export const bert: Architecture<BertConfig> = {
  name: 'bert',
  sees: 'all',
  parse: (config) => parseConfig('bert', schema, config),
  configure: (d: Dimensions) =>
    bert.parse({
      architectures: ['BertForMaskedLM'],
      model_type: 'bert',
      vocab_size: d.vocabulary,
      hidden_size: d.width,
      num_hidden_layers: d.layers,
      num_attention_heads: d.heads,
      intermediate_size: 4 * d.width,
      hidden_act: 'gelu',
      max_position_embeddings: d.context,
      type_vocab_size: 2,
      initializer_range: 0.02,
      layer_norm_eps: 1e-12,
      hidden_dropout_prob: 0,
      attention_probs_dropout_prob: 0,
      // The published class takes token 0 for padding where the file does not say otherwise.
      pad_token_id: null,
      tie_word_embeddings: true,
      torch_dtype: 'float32',
    }),
  dimensions: (c) => ({
    layers: c.num_hidden_layers,
    width: c.hidden_size,
    heads: c.num_attention_heads,
    keyValueHeads: c.num_attention_heads,
    context: c.max_position_embeddings,
    vocabulary: c.vocab_size,
  }),
  head: () => `${EMBEDDINGS}.word_embeddings.weight`,

  parameters(c) {
    const C = c.hidden_size;
    const F = c.intermediate_size;
    const matrix = (name: string, rows: number, columns: number): ParameterSpec => ({
      name: `${name}.weight`,
      shape: [rows, columns],
      initialization: { normal: c.initializer_range },
    });
    const vector = (name: string, size: number, fill: number): ParameterSpec => ({
      name,
      shape: [size],
      initialization: { fill },
    });
    const dense = (name: string, rows: number, columns: number): ParameterSpec[] => [
      matrix(name, rows, columns),
      vector(`${name}.bias`, rows, 0),
    ];
    const norms = (name: string): ParameterSpec[] => [vector(`${name}.weight`, C, 1), vector(`${name}.bias`, C, 0)];
    const layer = (i: number): ParameterSpec[] => {
      const at = `bert.encoder.layer.${i}`;
      return [
        ...dense(`${at}.attention.self.query`, C, C),
        ...dense(`${at}.attention.self.key`, C, C),
        ...dense(`${at}.attention.self.value`, C, C),
        ...dense(`${at}.attention.output.dense`, C, C),
        ...norms(`${at}.attention.output.LayerNorm`),
        ...dense(`${at}.intermediate.dense`, F, C),
        ...dense(`${at}.output.dense`, C, F),
        ...norms(`${at}.output.LayerNorm`),
      ];
    };
    return [
      matrix(`${EMBEDDINGS}.word_embeddings`, c.vocab_size, C),
      matrix(`${EMBEDDINGS}.position_embeddings`, c.max_position_embeddings, C),
      matrix(`${EMBEDDINGS}.token_type_embeddings`, c.type_vocab_size, C),
      ...norms(`${EMBEDDINGS}.LayerNorm`),
      ...Array.from({ length: c.num_hidden_layers }, (_, i) => layer(i)).flat(),
      vector(`${HEAD}.bias`, c.vocab_size, 0),
      ...dense(`${HEAD}.transform.dense`, C, C),
      ...norms(`${HEAD}.transform.LayerNorm`),
    ];
  },

  embed(c, p, { ids_N, batch: B, positions_T }) {
    const C = c.hidden_size;
    const T = positions_T.shape[0]!;
    const tokens_TBC = reshape(gather(p[`${EMBEDDINGS}.word_embeddings.weight`]!, ids_N), [T, B, C]);
    const places_TC = gather(p[`${EMBEDDINGS}.position_embeddings.weight`]!, positions_T);
    const types = p[`${EMBEDDINGS}.token_type_embeddings.weight`]!;
    const [segment_1C] = c.type_vocab_size === 1 ? [types] : split(types, 0, [1, c.type_vocab_size - 1]);
    const where_T1C = reshape(add(places_TC, segment_1C!), [T, 1, C]);
    return norm(c, p, `${EMBEDDINGS}.LayerNorm`, reshape(add(tokens_TBC, where_T1C), [T * B, C]));
  },

  block(c, p, layer, x_NC, { batch: B, positions_T, attend }) {
    const C = c.hidden_size;
    const T = positions_T.shape[0]!;
    const at = `bert.encoder.layer.${layer}`;
    const heads = (name: string): Tensor =>
      reshape(linear(p, `${at}.attention.self.${name}`, x_NC), [
        T,
        B,
        c.num_attention_heads,
        C / c.num_attention_heads,
      ]);
    const o_NC = reshape(attend(layer, heads('query'), heads('key'), heads('value')), [T * B, C]);
    const mixed = linear(p, `${at}.attention.output.dense`, o_NC);
    const a_NC = norm(c, p, `${at}.attention.output.LayerNorm`, add(mixed, x_NC));
    const h_NF = geluErf(linear(p, `${at}.intermediate.dense`, a_NC));
    return norm(c, p, `${at}.output.LayerNorm`, add(linear(p, `${at}.output.dense`, h_NF), a_NC));
  },

  final: (_config, _parameters, x_NC) => x_NC,

  logits(c, p, x_MC) {
    const transformed_MC = norm(
      c,
      p,
      `${HEAD}.transform.LayerNorm`,
      geluErf(linear(p, `${HEAD}.transform.dense`, x_MC)),
    );
    return gemm(transformed_MC, p[bert.head(c)]!, p[`${HEAD}.bias`]!, { transB: true });
  },
};
