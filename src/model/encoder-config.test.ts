import { describe, expect, it } from 'vitest';
import expected from '../../test/fixtures/configs/expected-masked.json' with { type: 'json' };
import { UsageError } from '../base/errors.js';
import type { JsonObject } from '../base/json.js';
import { Random } from '../base/random.js';
import { configNotices } from './config-rules.js';
import { Model } from './model.js';
import { PublishedConfig } from './published.js';

const size = (config: JsonObject) => Model.fromConfig(config).layout.size;

/** Switches of published classes with which another model is computed than here. */
const REFUSED = ['is_decoder', 'add_cross_attention', 'tie_word_embeddings', 'sinusoidal_pos_embds'];

describe.each(['roberta', 'distilbert', 'modernbert'] as const)(
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
    [
      {
        architectures: ['ModernBertForMaskedLM'],
        model_type: 'modernbert',
        classifier_pooling: 'mean',
        global_attn_every_n_layers: 3,
        global_rope_theta: 160000,
        gradient_checkpointing: false,
        layer_norm_eps: 1e-5,
        local_rope_theta: 10000,
        position_embedding_type: 'absolute',
        repad_logits_with_grad: false,
        vocab_size: 50368,
      },
      149_655_232,
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
  [{ model_type: 'modernbert', hidden_size: 100 }, 'width (hidden_size) 100 is not divisible by heads'],
  [{ model_type: 'modernbert', hidden_activation: 'elu' }, 'hidden_activation is "elu"'],
  [{ model_type: 'modernbert', classifier_activation: '__proto__' }, 'classifier_activation is "__proto__"'],
  [{ model_type: 'modernbert', classifier_pooling: 'max' }, 'classifier_pooling'],
  [{ model_type: 'modernbert', tie_word_embeddings: false }, 'tie_word_embeddings is false'],
  [{ model_type: 'modernbert', sliding_window: 4 }, 'sliding_window is 4'],
  [{ model_type: 'modernbert', head_dim: 4 }, 'head_dim is 4'],
  [{ model_type: 'bert', sliding_window: 4 }, 'sliding_window is 4'],
  [{ model_type: 'modernbert', layer_types: ['full_attention'] }, 'layer_types has 1 entries for 22 layers'],
  [{ model_type: 'modernbert', rope_parameters: { rope_theta: 10 } }, 'rope_parameters.rope_theta is 10'],
  [{ model_type: 'modernbert', rope_scaling: { type: 'linear', factor: 2 } }, 'rope_scaling.type is "linear"'],
  [
    { model_type: 'modernbert', rope_parameters: { sliding_attention: { rope_type: 'longrope' } } },
    'rope_parameters.sliding_attention.rope_type is "longrope"',
  ],
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

it('a new modernbert has the sizes asked for, and starts within the cutoff', () => {
  const sizes = { layers: 2, width: 24, heads: 3, keyValueHeads: 3, context: 16, vocabulary: 31 };
  const model = Model.create('modernbert', sizes);
  expect(model.dimensions).toEqual(sizes);
  expect(Model.fromConfig(JSON.parse(JSON.stringify(model.config))).config).toEqual(model.config);
  const views = model.layout.views(model.layout.initialize(new Random(1)));
  const words = views['model.embeddings.tok_embeddings.weight']!;
  const farthest = Math.max(...words.map(Math.abs));
  expect(farthest).toBeLessThanOrEqual(Math.fround(2 * 0.02));
  expect(farthest).toBeGreaterThan(1.8 * 0.02);
});
