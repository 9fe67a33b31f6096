import { describe, expect, it } from 'vitest';
import type { FamilyName } from './family-names.js';
import { addRows, growVocabulary, requireTrainedRows } from './grow-vocabulary.js';
import { Model } from './model.js';

const SIZES = { layers: 1, width: 8, heads: 2, keyValueHeads: 2, context: 8, vocabulary: 7 };
const untied = (family: FamilyName) => {
  const { config } = Model.create(family, SIZES);
  return Model.fromConfig({ ...(config as object), tie_word_embeddings: false });
};

describe('a vocabulary that grows', () => {
  it.each([
    ['gpt2', Model.create('gpt2', SIZES), ['wte.weight']],
    ['llama', untied('llama'), ['embed_tokens.weight', 'lm_head.weight']],
    ['bert', Model.create('bert', SIZES), ['word_embeddings.weight', 'cls.predictions.bias']],
  ])(
    '%s: every row of added tokens is the mean of those of the tokens; all else is as it was',
    (_family, model, names) => {
      const parameters = Float32Array.from({ length: model.layout.size }, (_, i) => Math.sin(i));
      // Of seven rows five are the tokenizer's: the next two are used first.
      const { model: grown, rows } = growVocabulary(model, 10);
      expect([rows, grown.dimensions.vocabulary]).toEqual([3, 10]);
      const before = model.layout.views(parameters);
      const after = grown.layout.views(addRows(model, grown, parameters, { tokens: 5, ids: [5, 6, 7, 8, 9] }));
      const longer = Object.keys(after).filter((name) => after[name]!.length !== before[name]!.length);
      expect(longer.map((name) => names.findIndex((one) => name.endsWith(one))).toSorted()).toEqual(
        names.map((_, i) => i),
      );
      for (const [name, values] of Object.entries(after)) {
        if (!longer.includes(name)) {
          expect(values).toEqual(before[name]);
          continue;
        }
        const width = values.length / 10;
        expect(values.subarray(0, 5 * width)).toEqual(before[name]!.subarray(0, 5 * width));
        for (let c = 0; c < width; c++) {
          const mean = [0, 1, 2, 3, 4].reduce((sum, row) => sum + before[name]![row * width + c]! / 5, 0);
          for (const row of [5, 6, 7, 8, 9]) expect(values[row * width + c]).toBeCloseTo(mean, 6);
        }
      }
    },
  );

  it('leaves a padded one as long as it is, and rows that nobody uses as they are', () => {
    const model = Model.create('gpt2', SIZES);
    const { model: same, rows } = growVocabulary(model, 6);
    expect([same, rows]).toEqual([model, 0]);
    const parameters = Float32Array.from({ length: model.layout.size }, (_, i) => Math.cos(i));
    const after = addRows(model, same, parameters, { tokens: 5, ids: [5] });
    const { 'transformer.wte.weight': rows_VC } = model.layout.views(after);
    expect(rows_VC!.subarray(48)).toEqual(model.layout.views(parameters)['transformer.wte.weight']!.subarray(48));
    expect(rows_VC![40]).not.toBe(parameters[40]);
    expect(() => growVocabulary(model, 2 ** 24 + 1)).toThrow('`addTokens` makes a vocabulary of 16777217 tokens');
  });

  it('has its rows trained, or says what to do', () => {
    const llama = untied('llama');
    const adapter = { rank: 2, alpha: 4, tokens: { first: llama.dimensions.vocabulary - 2, count: 2 } };
    requireTrainedRows(llama, { adapter });
    expect(() => requireTrainedRows(llama, { adapter: { ...adapter, targets: ['lm_head', 'q_proj'] } })).toThrow(
      '`targets` names lm_head, whose rows of `addTokens` are trained themselves',
    );
    expect(() => llama.adapt({ ...adapter, tokens: { ...adapter.tokens, count: 3 } })).toThrow(
      /it is another than the one/,
    );
    const sizes = { layers: 1, width: 8, heads: 2, keyValueHeads: 2, context: 8, vocabulary: 12 };
    expect(() => requireTrainedRows(Model.create('bert', sizes), { adapter })).toThrow(
      'leaves the rows of tokens of a bert model as they are',
    );
    expect(() => requireTrainedRows(llama, { freeze: ['lm_head.*'] })).toThrow(
      "Take them back: `freeze: '!lm_head.weight'`",
    );
    requireTrainedRows(llama, { freeze: ['*', '!model.embed_tokens.weight', '!lm_head.weight'] });
    requireTrainedRows(llama, {});
  });
});
