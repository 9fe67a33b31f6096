import { tanh } from '../graph/index.js';
import { type BertConfig, bertKin, predictionTransform } from './bert-kin.js';
import { encoderHeads } from './encoder-heads.js';

const { masked, sequence, tokens, span, layer } = encoderHeads<BertConfig>({
  width: (c) => c.hidden_size,
  std: (c) => c.initializer_range,
});

const predictions = masked(
  {
    transform: predictionTransform('cls.predictions.transform.dense', 'cls.predictions.transform.LayerNorm'),
    bias: () => 'cls.predictions',
  },
  { rows: 'bert.embeddings.word_embeddings.weight', vocabulary: (c) => c.vocab_size },
);

/** BERT (arXiv 1810.04805) with its published heads. */
export const bert = bertKin({
  name: 'bert',
  className: 'Bert',
  firstPosition: () => 0,
  configure: () => ({}),
  heads: {
    ForMaskedLM: predictions,
    // Its other head, whether a text follows another, is left.
    ForPreTraining: predictions,
    ForSequenceClassification: sequence('classifier', layer('bert.pooler.dense', tanh)),
    ForTokenClassification: tokens('classifier'),
    ForQuestionAnswering: span('qa_outputs'),
  },
});
