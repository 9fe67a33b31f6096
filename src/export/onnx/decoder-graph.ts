/*
 * Shape suffixes: T new tokens, P before them, S of both; B sequences; N = T · B, time-major; K heads of keys and values;
 * D width of a head; C width; V vocabulary; L rows of logits.
 */
import type { ModelProto } from 'onnx-buf';
import { concat, encodeSymbolic, input, reshape, type Tensor, tail, transpose } from '../../graph/index.js';
import type { Attend } from '../../model/architecture.js';
import type { Model } from '../../model/model.js';
import { attendInFile } from './attend.js';

/**
 * A step of generation for any batch, past and number of new tokens, as transformers.js and optimum feed it.
 *
 * Inputs: the parameters; `input_ids` and `position_ids` [B, T], `attention_mask` [B, S], 0 for what fills a sequence up
 * (on either side), `past_key_values.i.key` and `.value` [B, K, P, D]; `num_logits_to_keep`, how many of the last tokens
 * have logits, 0 for all.
 * Outputs: `logits` [B, L, V], `present.i.key` and `.value` [B, K, S, D].
 */
export function decoderGraph(model: Model): ModelProto {
  const heads = cachedHeads(model);
  return encodeSymbolic(
    [
      { name: 'batch_size', at: ['input_ids', 0] },
      { name: 'sequence_length', at: ['input_ids', 1] },
      { name: 'past_sequence_length', at: ['past_key_values.0.key', 2] },
      { name: 'num_logits' },
      {
        name: 'past_sequence_length + sequence_length',
        at: ['attention_mask', 1],
        sum: ['past_sequence_length', 'sequence_length'],
      },
    ],
    ({ batch_size: B, sequence_length: T, past_sequence_length: P, num_logits: L }) => {
      const S = P + T;
      const outputs: Record<string, Tensor> = {};
      const inTime = (name: string) => reshape(transpose(input(name, [B, T], 'int64'), [1, 0]), [T * B]);
      const ids_N = inTime('input_ids');
      const mask_BS = input('attention_mask', [B, S], 'int64');
      const positions_N = inTime('position_ids');
      const cached = (layer: number, ...fresh_BKTD: readonly [Tensor, Tensor]) => {
        const joined = (['key', 'value'] as const).map((part, i) => {
          const [K, D] = heads[layer]!;
          const past_BKPD = input(`past_key_values.${layer}.${part}`, [B, K, P, D]);
          const all = concat([past_BKPD, fresh_BKTD[i]!], 2);
          outputs[`present.${layer}.${part}`] = all;
          return all;
        });
        return joined as unknown as readonly [Tensor, Tensor];
      };
      const attend = attendInFile({ batch: B, tokens: T, all: S, mask_BS, causal: true, cached });
      const parameters = model.parameterInputs();
      const x_NC = model.forward(parameters, { ids_N, batch: B, positions_T: positions_N, attend });
      const C = x_NC.shape[1]!;
      const last_LBC = tail(reshape(x_NC, [T, B, C]), input('num_logits_to_keep', [], 'int64'), L);
      const logits = model.logits(parameters, reshape(last_LBC, [L * B, C]));
      return { logits: transpose(reshape(logits, [L, B, logits.shape[1]!]), [1, 0, 2]), ...outputs };
    },
  );
}

/** Heads of keys and values, and their width, of each layer, as the forward pass tells. */
function cachedHeads(model: Model): (readonly [number, number])[] {
  const heads: (readonly [number, number])[] = [];
  const attend: Attend = (layer, q, k_11KD) => {
    heads[layer] = [k_11KD.shape[2]!, k_11KD.shape[3]!];
    return q;
  };
  const one = (name: string) => input(name, [1], 'int64');
  model.forward(model.parameterInputs(), { ids_N: one('ids'), batch: 1, positions_T: one('positions'), attend });
  return heads;
}
