/*
 * Shape suffixes: T tokens; B texts; N = T · B, time-major; C width; E width of a vector; R rows of scores.
 */
import type { ModelProto } from 'onnx-buf';
import {
  constant,
  counting,
  encodeSymbolic,
  gather,
  input,
  reshape,
  split,
  type Tensor,
  transpose,
} from '../../graph/index.js';
import type { SentenceModules } from '../../hub/sentence-folder.js';
import { sentenceVectors } from '../../inference/embedding-program.js';
import type { HeadTask } from '../../model/architecture.js';
import type { Model } from '../../model/model.js';
import { attendInFile } from './attend.js';

/**
 * An encoder for any number of texts and tokens, as transformers.js and optimum feed it.
 *
 * Inputs: the parameters; `input_ids`, `attention_mask` and, where the model knows kinds of tokens, `token_type_ids`,
 * [B, T] int64.
 * Outputs: of a folder of sentence-transformers `token_embeddings` [B, T, C] and `sentence_embedding` [B, E]; of a head
 * `logits`, or `start_logits` and `end_logits` where an answer stands; of a bare encoder `last_hidden_state` [B, T, C].
 */
export function encoderGraph(model: Model, sentence?: SentenceModules): ModelProto {
  return encodeSymbolic(
    [
      { name: 'batch_size', at: ['input_ids', 0] },
      { name: 'sequence_length', at: ['input_ids', 1] },
    ],
    ({ batch_size: B, sequence_length: T }) => {
      const inTime = (x_BT: Tensor) => reshape(transpose(x_BT, [1, 0]), [T * B]);
      const ids_N = inTime(input('input_ids', [B, T], 'int64'));
      const mask_BS = input('attention_mask', [B, T], 'int64');
      const own_N = gather(constant(Float32Array.of(0, 1), [2]), inTime(mask_BS));
      const types_N = knowsKinds(model) ? inTime(input('token_type_ids', [B, T], 'int64')) : undefined;
      const parameters = model.parameterInputs();
      const attend = attendInFile({ batch: B, tokens: T, all: T, mask_BS, causal: false });
      const positions_T = counting(T, 'int64');
      const x_NC = model.forward(parameters, { ids_N, batch: B, positions_T, attend, own_N, types_N });
      const byText = (x_NR: Tensor) => transpose(reshape(x_NR, [T, B, x_NR.shape[1]!]), [1, 0, 2]);
      if (sentence) {
        const sentence_embedding = sentenceVectors(x_NC, sentence, { batch: B, own_N });
        return { token_embeddings: byText(x_NC), sentence_embedding };
      }
      if (!model.taskHead) return { last_hidden_state: byText(x_NC) };
      const scores = model.scores(parameters, x_NC, { batch: B, own_N });
      return outputsOf[model.taskHead.task](scores, { byText, B, T });
    },
  );
}

interface Layout {
  /** [N, R] as [B, T, R]. */
  readonly byText: (x_NR: Tensor) => Tensor;
  readonly B: number;
  readonly T: number;
}

/** What heads tell, under the names that it has in such files. */
const outputsOf: Readonly<Record<HeadTask, (scores: Tensor, layout: Layout) => Record<string, Tensor>>> = {
  masked: (scores_NV, { byText }) => ({ logits: byText(scores_NV) }),
  tokens: (scores_NR, { byText }) => ({ logits: byText(scores_NR) }),
  sequence: (scores_BR) => ({ logits: scores_BR }),
  span: (scores_N2, { byText, B, T }) => {
    const [start, end] = split(byText(scores_N2), 2, [1, 1]) as [Tensor, Tensor];
    return { start_logits: reshape(start, [B, T]), end_logits: reshape(end, [B, T]) };
  },
};

/** Whether a token's kind is something to the model. */
function knowsKinds(model: Model): boolean {
  return model.layout.entries.some(({ name }) => name.endsWith('.token_type_embeddings.weight'));
}
