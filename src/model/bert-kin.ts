/*
 * BERT (arXiv 1810.04805) and RoBERTa (arXiv 1907.11692), whose layers are the same, in Hugging Face's names and keys.
 * Shape suffixes: N tokens = T · B, time-major; C width; F width of the hidden layer; H heads; D width of a head;
 * M rows of hidden states.
 */
import { z } from 'zod';
import { UsageError } from '../base/errors.js';
import { add, gather, geluErf, layerNorm, reshape, split, type Tensor } from '../graph/index.js';
import type { Architecture, Dimensions, TaskHead, TracedParameters } from './architecture.js';
import { parseConfig, positive } from './config.js';
import { dropout } from './dropout.js';
import { labelKeys, type Transform } from './encoder-heads.js';
import type { ParameterSpec } from './layout.js';
import { linear } from './linear.js';
import { specs } from './specs.js';

// What the values may be beside their types, and their defaults: config-rules.json, published-configs.json.
const schema = z
  .looseObject({
    model_type: z.string(),
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
    pad_token_id: z.number().int().nullish(),
    ...labelKeys,
  })
  .refine((c) => c.hidden_size % c.num_attention_heads === 0, {
    error: (issue) => {
      const { hidden_size, num_attention_heads } = issue.input as { hidden_size: number; num_attention_heads: number };
      return `width (hidden_size) ${hidden_size} is not divisible by heads (num_attention_heads) ${num_attention_heads}`;
    },
  });

export type BertConfig = z.infer<typeof schema>;

/** What sets one of the kin apart. */
export interface BertKin {
  readonly name: 'bert' | 'roberta';
  /** How the names of its classes begin. */
  readonly className: string;
  /** The row of the positions' table that a sequence's first token has. */
  readonly firstPosition: (config: BertConfig) => number;
  /** Keys of a new model in which it is not as BERT. */
  readonly configure: (dimensions: Dimensions) => object;
  readonly heads: Readonly<Record<string, TaskHead<BertConfig>>>;
}

const layerNormOf = (c: BertConfig, p: TracedParameters, name: string, x: Tensor): Tensor =>
  layerNorm(x, p[`${name}.weight`]!, p[`${name}.bias`]!, c.layer_norm_eps);

/** A layer, GELU and a norm, before the vocabulary is scored. */
export const predictionTransform = (dense: string, norm: string): Transform<BertConfig> => ({
  parameters: (c) => {
    const { dense: layer, norm: normed } = specs(c.initializer_range);
    return [...layer(dense, c.hidden_size, c.hidden_size), ...normed(norm, c.hidden_size)];
  },
  trace: (c, p, x_MC) => layerNormOf(c, p, norm, geluErf(linear(p, dense, x_MC))),
});

/** An encoder: every token attends to all others. */
export function bertKin({ name, className, firstPosition, configure, heads }: BertKin): Architecture<BertConfig> {
  const embeddings = `${name}.embeddings`;
  const words = `${embeddings}.word_embeddings.weight`;

  const kin: Architecture<BertConfig> = {
    name,
    sees: 'all',
    heads,
    parse(config) {
      const parsed = parseConfig(name, schema, config);
      if (firstPosition(parsed) >= 0 && context(parsed) > 0) return parsed;
      throw new UsageError(
        `The ${name} configuration is not usable: positions begin with pad_token_id + 1, so pad_token_id must be a whole ` +
          `number of 0 or more and leave some of max_position_embeddings ${parsed.max_position_embeddings}; it is ` +
          `${parsed.pad_token_id}.`,
      );
    },
    configure: (d: Dimensions) =>
      kin.parse({
        architectures: [`${className}ForMaskedLM`],
        model_type: name,
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
        ...configure(d),
      }),
    dimensions: (c) => ({
      layers: c.num_hidden_layers,
      width: c.hidden_size,
      heads: c.num_attention_heads,
      keyValueHeads: c.num_attention_heads,
      context: context(c),
      vocabulary: c.vocab_size,
    }),
    head: () => words,

    parameters(c) {
      const C = c.hidden_size;
      const F = c.intermediate_size;
      const { matrix, dense, norm } = specs(c.initializer_range);
      const layer = (i: number): ParameterSpec[] => {
        const at = `${name}.encoder.layer.${i}`;
        return [
          ...dense(`${at}.attention.self.query`, C, C),
          ...dense(`${at}.attention.self.key`, C, C),
          ...dense(`${at}.attention.self.value`, C, C),
          ...dense(`${at}.attention.output.dense`, C, C),
          ...norm(`${at}.attention.output.LayerNorm`, C),
          ...dense(`${at}.intermediate.dense`, F, C),
          ...dense(`${at}.output.dense`, C, F),
          ...norm(`${at}.output.LayerNorm`, C),
        ];
      };
      return [
        matrix(`${embeddings}.word_embeddings`, c.vocab_size, C),
        matrix(`${embeddings}.position_embeddings`, c.max_position_embeddings, C),
        matrix(`${embeddings}.token_type_embeddings`, c.type_vocab_size, C),
        ...norm(`${embeddings}.LayerNorm`, C),
        ...Array.from({ length: c.num_hidden_layers }, (_, i) => layer(i)).flat(),
      ];
    },

    embed(c, p, { ids_N, batch: B, positions_T, types_N }) {
      const C = c.hidden_size;
      const T = positions_T.shape[0]!;
      const types = p[`${embeddings}.token_type_embeddings.weight`]!;
      const tokens_NC = gather(p[words]!, ids_N);
      const typed_NC = types_N ? add(tokens_NC, gather(types, types_N)) : tokens_NC;
      const typed_TBC = reshape(typed_NC, [T, B, C]);
      const table = p[`${embeddings}.position_embeddings.weight`]!;
      const places_TC = gather(rowsFrom(table, firstPosition(c)), positions_T);
      const kind0_1C = () => (c.type_vocab_size === 1 ? types : split(types, 0, [1, c.type_vocab_size - 1])[0]!);
      const where_TC = types_N ? places_TC : add(places_TC, kind0_1C());
      const sum_TBC = add(typed_TBC, reshape(where_TC, [T, 1, C]));
      return dropout(p, layerNormOf(c, p, `${embeddings}.LayerNorm`, reshape(sum_TBC, [T * B, C])));
    },

    block(c, p, layer, x_NC, { batch: B, positions_T, attend }) {
      const C = c.hidden_size;
      const T = positions_T.shape[0]!;
      const at = `${name}.encoder.layer.${layer}`;
      const heads = (part: string): Tensor =>
        reshape(linear(p, `${at}.attention.self.${part}`, x_NC), [
          T,
          B,
          c.num_attention_heads,
          C / c.num_attention_heads,
        ]);
      const o_NC = reshape(attend(layer, heads('query'), heads('key'), heads('value')), [T * B, C]);
      const mixed = dropout(p, linear(p, `${at}.attention.output.dense`, o_NC));
      const a_NC = layerNormOf(c, p, `${at}.attention.output.LayerNorm`, add(mixed, x_NC));
      const h_NF = geluErf(linear(p, `${at}.intermediate.dense`, a_NC));
      return layerNormOf(c, p, `${at}.output.LayerNorm`, add(dropout(p, linear(p, `${at}.output.dense`, h_NF)), a_NC));
    },

    final: (_config, _parameters, x_NC) => x_NC,
  };

  function context(c: BertConfig): number {
    return c.max_position_embeddings - firstPosition(c);
  }
  return kin;
}

/** A table without its first rows. */
function rowsFrom(table: Tensor, first: number): Tensor {
  return first === 0 ? table : split(table, 0, [first, table.shape[0]! - first])[1]!;
}
