/*
 * Shape suffixes: T new tokens, P before them; S tokens of a source; B sequences; N = T · B and M = S · B, time-major; H
 * heads; D width of a head; C width; V vocabulary.
 */
import type { ModelProto } from 'onnx-buf';
import { concat, counting, encodeSymbolic, input, reshape, type Tensor, transpose } from '../../graph/index.js';
import type { Model } from '../../model/model.js';
import { attendInFile, attendSourceInFile } from './attend.js';

const BATCH = 'batch_size';
const SOURCE = 'encoder_sequence_length';
const TARGET = 'decoder_sequence_length';
const PAST = 'past_decoder_sequence_length';

const inTime = (x_BT: Tensor): Tensor => {
  const [B, T, ...rest] = x_BT.shape as [number, number, ...number[]];
  return reshape(transpose(x_BT, rest.length === 0 ? [1, 0] : [1, 0, 2]), [T * B, ...rest]);
};

/**
 * What reads sources, of any number and length. Inputs: the parameters; `input_ids` and `attention_mask` [B, S] int64.
 * Output: `last_hidden_state` [B, S, C].
 */
export function sourceGraph(model: Model): ModelProto {
  return encodeSymbolic(
    [
      { name: BATCH, at: ['input_ids', 0] },
      { name: SOURCE, at: ['input_ids', 1] },
    ],
    ({ [BATCH]: B, [SOURCE]: S }) => {
      const ids_N = inTime(input('input_ids', [B, S], 'int64'));
      const mask_BS = input('attention_mask', [B, S], 'int64');
      const attend = attendInFile({ batch: B, tokens: S, all: S, mask_BS, causal: false });
      const x_MC = model.forwardSource(model.parameterInputs(), {
        ids_N,
        batch: B,
        positions_T: counting(S, 'int64'),
        attend,
      });
      return { last_hidden_state: transpose(reshape(x_MC, [S, B, x_MC.shape[1]!]), [1, 0, 2]) };
    },
  );
}

/**
 * What writes the first tokens beside sources. Inputs: the parameters; `input_ids` [B, T] and `encoder_attention_mask`
 * [B, S] int64; `encoder_hidden_states` [B, S, C]. Outputs: `logits` [B, T, V]; `present.i.decoder.key` and `.value` [B, H,
 * T, D] and `present.i.encoder.key` and `.value` [B, H, S, D] of each layer.
 */
export function firstGraph(model: Model): ModelProto {
  return encodeSymbolic(
    [
      { name: BATCH, at: ['input_ids', 0] },
      { name: TARGET, at: ['input_ids', 1] },
      { name: SOURCE, at: ['encoder_attention_mask', 1] },
    ],
    ({ [BATCH]: B, [TARGET]: T, [SOURCE]: S }) => {
      const { width: C } = model.dimensions;
      const x_MC = inTime(input('encoder_hidden_states', [B, S, C]));
      return traced(model, { B, T, P: 0, S, x_MC });
    },
  );
}

/**
 * What writes further tokens. Inputs: as of {@link firstGraph}, but `past_key_values.i.decoder.key` and `.value` [B, H, P,
 * D] and `past_key_values.i.encoder.key` and `.value` [B, H, S, D] in place of the source's hidden states. Outputs:
 * `logits`, `present.i.decoder.key` and `.value` [B, H, P + T, D].
 */
export function furtherGraph(model: Model): ModelProto {
  return encodeSymbolic(
    [
      { name: BATCH, at: ['input_ids', 0] },
      { name: TARGET, at: ['input_ids', 1] },
      { name: PAST, at: ['past_key_values.0.decoder.key', 2] },
      { name: SOURCE, at: ['encoder_attention_mask', 1] },
      { name: `${PAST} + ${TARGET}`, sum: [PAST, TARGET] },
    ],
    ({ [BATCH]: B, [TARGET]: T, [PAST]: P, [SOURCE]: S }) => traced(model, { B, T, P: P!, S, x_MC: undefined }),
  );
}

interface Sizes {
  readonly B: number;
  readonly T: number;
  readonly P: number;
  readonly S: number;
  /** The source's hidden states, where what is seen of them is not there yet. */
  readonly x_MC: Tensor | undefined;
}

function traced(model: Model, { B, T, P, S, x_MC }: Sizes): Record<string, Tensor> {
  const outputs: Record<string, Tensor> = {};
  const parts = ['key', 'value'] as const;
  const cached = (layer: number, ...fresh_BHTD: readonly [Tensor, Tensor]) =>
    parts.map((part, i) => {
      const [, H, , D] = fresh_BHTD[i]!.shape as [number, number, number, number];
      const past = P === 0 ? [] : [input(`past_key_values.${layer}.decoder.${part}`, [B, H, P, D])];
      const all = concat([...past, fresh_BHTD[i]!], 2);
      outputs[`present.${layer}.decoder.${part}`] = all;
      return all;
    }) as unknown as readonly [Tensor, Tensor];
  const keysOf = (layer: number, made: readonly [Tensor, Tensor] | undefined, shape: readonly number[]) =>
    parts.map((part, i) => {
      if (made) outputs[`present.${layer}.encoder.${part}`] = made[i]!;
      return made ? made[i]! : input(`past_key_values.${layer}.encoder.${part}`, shape);
    }) as unknown as readonly [Tensor, Tensor];
  const mask_BS = input('encoder_attention_mask', [B, S], 'int64');
  const parameters = model.parameterInputs();
  const x_NC = model.forward(parameters, {
    ids_N: inTime(input('input_ids', [B, T], 'int64')),
    batch: B,
    positions_T: counting(T, 'int64'),
    attend: attendInFile({ batch: B, tokens: T, all: P + T, causal: true, cached }),
    attendSource: attendSourceInFile({ batch: B, tokens: T, all: S, mask_BS }, x_MC, keysOf),
  });
  const logits = model.logits(parameters, x_NC);
  return { logits: transpose(reshape(logits, [T, B, logits.shape[1]!]), [1, 0, 2]), ...outputs };
}
