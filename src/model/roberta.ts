import { UsageError } from '../base/errors.js';
import { tanh } from '../graph/index.js';
import { type BertConfig, bertKin, predictionTransform } from './bert-kin.js';
import { encoderHeads } from './encoder-heads.js';

const { masked, sequence, tokens, span, layer } = encoderHeads<BertConfig>({
  width: (c) => c.hidden_size,
  std: (c) => c.initializer_range,
});

/** RoBERTa (arXiv 1907.11692) with its published heads. */
export const roberta = bertKin({
  name: 'roberta',
  className: 'Roberta',
  // Those before it are of tokens that fill a text up; in the published class the last of them.
  firstPosition: ({ pad_token_id: pad }) => (typeof pad === 'number' && pad >= 0 ? pad + 1 : Number.NaN),
  configure: () => {
    throw new UsageError(
      'A new roberta model cannot be made: its positions begin after the id of a token that fills texts up, which ' +
        'tokenizers made here lack. Its layers are those of bert: use that.',
    );
  },
  heads: {
    ForMaskedLM: masked(
      { transform: predictionTransform('lm_head.dense', 'lm_head.layer_norm'), bias: () => 'lm_head' },
      { rows: 'roberta.embeddings.word_embeddings.weight', vocabulary: (c) => c.vocab_size },
    ),
    ForSequenceClassification: sequence('classifier.out_proj', layer('classifier.dense', tanh)),
    ForTokenClassification: tokens('classifier'),
    ForQuestionAnswering: span('qa_outputs'),
  },
});
