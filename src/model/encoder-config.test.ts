import { describe, expect, it } from 'vitest';
import expected from '../../test/fixtures/configs/expected-masked.json' with { type: 'json' };
import { UsageError } from '../base/errors.js';
import type { JsonObject } from '../base/json.js';
import { configNotices } from './config-rules.js';
import { Model } from './model.js';
import { PublishedConfig } from './published.js';

const size = (config: JsonObject) => Model.fromConfig(config).layout.size;

/** Switches of published classes with which another model is computed than here. */
const REFUSED = [
  'is_decoder',
  'add_cross_attention',
  'tie_word_embeddings',
  'sinusoidal_pos_embds',
  'sparse_prediction',
];

describe.each(['roberta', 'distilbert'] as const)(
  '%s has the parameters of the published model, or refuses',
  (family) => {
    const small: JsonObject = { model_type: family, ...expected[family].small };

    it('with all defaults', () => expect(size({ model_type: family })).toBe(expected[family].defaults));

    it.each(Object.entries(expected[family].without))('without %s', (leftOut, parameters) => {
      const { [leftOut]: _, ...config } = small;
      expect(size(config)).toBe(parameters);
    });

    it.each(expected[family].changes as { change: JsonObject; parameters: number | null }[])(
      'with $change',
      ({ change, parameters }) => {
        const [changed = ''] = Object.keys(change);
        const config = { ...small, ...change };
        if (REFUSED.includes(changed)) expect(() => size(config)).toThrow(changed);
        // A null that the class itself refuses is left out here.
        else expect(size(config)).toBe(parameters ?? (expected[family].without as Record<string, number>)[changed]);
      },
    );
  },
);

describe('the published files', () => {
  it.each<[JsonObject, number]>([
    [
      {
        architectures: ['RobertaForMaskedLM'],
        model_type: 'roberta',
        max_position_embeddings: 514,
        type_vocab_size: 1,
        layer_norm_eps: 1e-5,
        pad_token_id: 1,
        vocab_size: 50265,
      },
      124_697_433,
    ],
    [
      {
        architectures: ['DistilBertForMaskedLM'],
        model_type: 'distilbert',
        sinusoidal_pos_embds: false,
        tie_weights_: true,
        dim: 768,
        vocab_size: 30522,
      },
      66_985_530,
    ],
  ])('%j have the published count of parameters, and nothing to tell of', (config, parameters) => {
    expect(size(config)).toBe(parameters);
    expect(configNotices(new PublishedConfig(String(config.model_type), config))).toEqual([]);
  });
});

it.each<[JsonObject, string]>([
  [{ model_type: 'roberta', pad_token_id: null }, 'pad_token_id must be a whole number of 0 or more'],
  [{ model_type: 'roberta', pad_token_id: -1 }, 'pad_token_id must be a whole number of 0 or more'],
  [{ model_type: 'roberta', max_position_embeddings: 2 }, 'leave some of max_position_embeddings 2'],
  [{ model_type: 'distilbert', activation: 'relu' }, 'activation is "relu"'],
  [{ model_type: 'distilbert', dim: 100 }, 'width (dim) 100 is not divisible by heads (n_heads) 12'],
  [{ model_type: 'distilbert', tie_weights_: false }, 'tie_weights_ is false'],
])('%j is refused by name', (config, message) => {
  expect(() => size(config)).toThrow(message);
  expect(() => size(config)).toThrow(UsageError);
});

it('heads follow architectures, and labels what the file says of them', () => {
  const head = (architecture: string, more: JsonObject = {}) => {
    const model = Model.fromConfig({ model_type: 'distilbert', architectures: [architecture], ...more });
    const { name, shape } = model.layout.entries.at(-1)!;
    return [model.taskHead?.task, name, shape, model.scoresTokens];
  };
  expect(head('DistilBertForMaskedLM').slice(0, 2)).toEqual(['masked', 'vocab_layer_norm.bias']);
  expect(head('DistilBertForSequenceClassification')).toEqual(['sequence', 'classifier.bias', [2], false]);
  const id2label = { 0: 'a', 1: 'b', 2: 'c' };
  expect(head('DistilBertForTokenClassification', { id2label })).toEqual(['tokens', 'classifier.bias', [3], false]);
  expect(head('DistilBertForTokenClassification', { num_labels: 5 })).toEqual([
    'tokens',
    'classifier.bias',
    [5],
    false,
  ]);
  expect(head('DistilBertForQuestionAnswering')).toEqual(['span', 'qa_outputs.bias', [2], false]);
  for (const other of ['DistilBertModel', 'ForSomething', 'DistilBertFor__proto__', 'constructor'])
    expect(head(other)[0]).toBeUndefined();
});

it('a new roberta cannot be made, and says why', () => {
  const sizes = { layers: 1, width: 8, heads: 2, keyValueHeads: 2, context: 8, vocabulary: 9 };
  expect(() => Model.create('roberta', sizes)).toThrow(/positions begin after the id of a token that fills texts up/);
  expect(Model.create('distilbert', sizes).dimensions).toEqual(sizes);
});
