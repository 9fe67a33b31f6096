import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import expected from '../../test/fixtures/configs/expected.json' with { type: 'json' };
import { MeanfieldError, UsageError } from '../base/errors.js';
import type { JsonObject } from '../base/json.js';
import { configNotices, isKnown } from './config-rules.js';
import { families } from './families.js';
import { Model } from './model.js';
import { PublishedConfig } from './published.js';
import published from './published-configs.json' with { type: 'json' };

const trained = [
  'gpt2',
  'llama',
  'mistral',
  'qwen2',
  'qwen3',
  'smollm3',
  'phi3',
  'gemma',
  'gemma2',
  'gemma3_text',
] as const;
const small = (family: (typeof trained)[number]): JsonObject => ({ model_type: family, ...expected[family].small });
const notices = (family: string, config: JsonObject) => configNotices(new PublishedConfig(family, config));
const size = (config: JsonObject) => Model.fromConfig(config).layout.size;

it.each(Object.keys(families))('%s: every key of the published class is used, harmless, or watched over', (family) => {
  const { keys } = published.families[family as (typeof trained)[number]];
  const all = [...Object.keys(keys), ...published.everywhere];
  expect(all.filter((key) => !isKnown(family, key))).toEqual([]);
});

describe.each(trained)('%s: has the parameters of the published model, or refuses', (family) => {
  it('with all defaults', () => expect(size({ model_type: family })).toBe(expected[family].defaults));

  it.each(Object.entries(expected[family].without))('without %s', (leftOut, parameters) => {
    const { [leftOut]: _, ...config } = small(family);
    const got = sizeOrRefusal(config);
    // The published class counts what cannot run: heads that do not fit.
    if (typeof got === 'string') expect(got).toContain(leftOut);
    else expect(got).toBe(parameters);
  });

  it.each(expected[family].changes as { change: JsonObject; parameters: number | null }[])(
    'with $change',
    ({ change, parameters }) => {
      const [changed = ''] = Object.keys(change);
      // A null that the class itself refuses is left out here.
      const right = parameters ?? (expected[family].without as Record<string, number>)[changed];
      const got = sizeOrRefusal({ ...small(family), ...change });
      if (typeof got === 'string') expect(got).toContain(changed);
      else expect(got).toBe(right);
    },
  );
});

function sizeOrRefusal(config: JsonObject): number | string {
  try {
    return size(config);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
}

describe('switches that would make another model', () => {
  it.each([
    ['gpt2', { scale_attn_by_inverse_layer_idx: true }, 'scale_attn_by_inverse_layer_idx is true'],
    ['gpt2', { scale_attn_weights: false }, 'scale_attn_weights is false'],
    ['gpt2', { activation_function: 'relu' }, 'activation_function is "relu"'],
    ['gpt2', { tie_word_embeddings: false }, 'tie_word_embeddings is false'],
    ['gpt2', { add_cross_attention: true }, 'add_cross_attention is true'],
    ['gpt2', { is_causal: false }, 'is_causal is false'],
    ['llama', { rope_scaling: { type: 'longrope' } }, 'rope_scaling.type is "longrope"'],
    ['llama', { rope_scaling: { rope_type: 'llama3', factor: 8 } }, 'rope_type llama3 need low_freq_factor'],
    ['llama', { rope_scaling: { rope_type: 'yarn' } }, 'rope_type yarn need factor'],
    ['llama', { rope_parameters: { rope_type: 'linear', factor: 0 } }, 'rope_parameters.factor'],
    ['llama', { rope_scaling: 4 }, 'rope_scaling is 4'],
    ['llama', { rope_parameters: { full_attention: { rope_type: 'default' } } }, 'rope_parameters is {"full'],
    ['llama', { partial_rotary_factor: 0.5 }, 'partial_rotary_factor is 0.5'],
    ['llama', { hidden_act: 'gelu' }, 'hidden_act is "gelu"'],
    ['llama', { rope_parameters: { rope_type: 'proportional' } }, 'rope_parameters.rope_type is "proportional"'],
    ['mistral', { sliding_window: 0 }, 'sliding_window'],
    ['mistral', { layer_types: ['full_attention'] }, 'layer_types is ["full_attention"]'],
    ['qwen2', { layer_types: ['full_attention'] }, 'layer_types has 1 entries for 3 layers'],
    ['qwen3', { layer_types: Array(3).fill('chunked_attention') }, 'layer_types has "chunked_attention"'],
    ['qwen3', { layer_types: Array(3).fill('sliding_attention') }, 'no window is in use'],
    ['smollm3', { no_rope_layers: [1] }, 'no_rope_layers has 1 entries for 3 layers'],
    ['phi3', { rope_scaling: { type: 'linear', factor: 2 } }, 'rope_scaling.type is "linear"'],
    [
      'phi3',
      { rope_scaling: { type: 'longrope', short_factor: [1], long_factor: [1] } },
      'short_factor and long_factor need 6 numbers each, got 1 and 1',
    ],
    ['phi3', { partial_rotary_factor: 0.15 }, 'must be even, got 1'],
    ['gemma', { use_bidirectional_attention: true }, 'use_bidirectional_attention is true'],
    ['gemma2', { hidden_activation: 'relu' }, 'hidden_activation is "relu"'],
    ['gemma3_text', { attn_logit_softcapping: 50 }, 'attn_logit_softcapping is 50'],
    ['gemma3_text', { rope_scaling: { type: 'linear', factor: 8 } }, 'rope_scaling.type is "linear"'],
    [
      'gemma3_text',
      { rope_parameters: { full_attention: { rope_type: 'longrope' } } },
      'rope_parameters.full_attention.rope_type is "longrope"',
    ],
    ['llama', { quantization_config: { quant_method: 'gptq' } }, 'quantization_config is {"quant'],
    ['llama', { sliding_window: 4 }, 'sliding_window is 4'],
    ['llama', { attention_chunk_size: 8 }, 'attention_chunk_size is 8'],
    ['gemma', { layer_types: Array(3).fill('full_attention') }, 'layer_types is ["full_attention"'],
    ['llama', { per_layer_config: { 0: { num_key_value_heads: 1 } } }, 'per_layer_config is'],
  ] as const)('%s with %j is refused by name', (family, change, message) => {
    expect(() => Model.fromConfig({ ...small(family), ...change })).toThrow(message);
    expect(() => Model.fromConfig({ ...small(family), ...change })).toThrow(UsageError);
  });
});

it('null is absent, unless the class takes it for a value', () => {
  for (const family of trained) {
    const { keys, nullable } = published.families[family];
    const absent = Object.keys(keys).filter((key) => !(nullable as readonly string[]).includes(key));
    const nulls = Object.fromEntries(absent.map((key) => [key, null]));
    expect(size({ ...nulls, model_type: family })).toBe(expected[family].defaults);
    expect(notices(family, { ...nulls, rope_scaling: null, model_type: family })).toEqual([]);
  }
});

it('takes default positions in every spelling', () => {
  const rope = { rope_type: 'default', rope_theta: 5e5 };
  for (const change of [
    { rope_parameters: rope },
    { rope_scaling: rope },
    { rope_scaling: { type: 'default' }, rope_theta: 5e5 },
    { rope_scaling: {}, rope_parameters: rope },
  ]) {
    expect(size({ ...small('llama'), ...change })).toBe(size(small('llama')));
    expect(notices('llama', { ...small('llama'), ...change })).toEqual([]);
  }
});

it('tells of keys that nobody knows, wherever they stand, and of no other', () => {
  const rope = { rope_type: 'default', rope_theta: 1e4, factor: 2 };
  expect(notices('llama', { ...small('llama'), attention_multiplier: 2, rope_parameters: rope })).toEqual([
    expect.stringMatching(/neither Meanfield nor LlamaConfig reads: attention_multiplier, rope_parameters\.factor\. /),
  ]);
  const many = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`unknown_${i}`, i]));
  expect(notices('gpt2', { ...small('gpt2'), ...many })[0]).toContain('unknown_4 and 4 more.');
  const old = { n_ctx: 72, torch_dtype: 'float16', task_specific_params: {}, do_sample: true, max_length: 50 };
  expect(notices('gpt2', { ...small('gpt2'), ...old })).toEqual([]);
});

it('tells of settings of positions that their type or their kind of layer does not have', () => {
  const llama3 = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4 };
  expect(notices('llama', { ...small('llama'), rope_scaling: llama3 })).toEqual([]);
  expect(notices('llama', { ...small('llama'), rope_scaling: { ...llama3, beta_fast: 32 } })).toEqual([
    expect.stringContaining('reads: rope_scaling.beta_fast.'),
  ]);
  const kinds = { full_attention: { rope_type: 'linear', factor: 8 }, sliding_attention: { rope_theta: 1e4 } };
  const gemma = (more: JsonObject) => notices('gemma3_text', { ...small('gemma3_text'), rope_parameters: more });
  expect(gemma(kinds)).toEqual([]);
  expect(gemma({ ...kinds, full_attention: { truncate: true }, other: 1 })).toEqual([
    expect.stringContaining('reads: rope_parameters.full_attention.truncate, rope_parameters.other.'),
  ]);
});

it('two spellings that differ are refused, equal ones are one', () => {
  const { n_layer } = expected.gpt2.small;
  expect(size({ ...small('gpt2'), num_hidden_layers: n_layer })).toBe(size(small('gpt2')));
  expect(() => size({ ...small('gpt2'), num_hidden_layers: n_layer + 1 })).toThrow(
    /n_layer is given twice, as 3 and as 4 \(num_hidden_layers is another spelling/,
  );
  const { n_layer: _, ...renamed } = expected.gpt2.small;
  expect(size({ model_type: 'gpt2', ...renamed, num_hidden_layers: n_layer })).toBe(size(small('gpt2')));
});

it('whatever the values, answers with a model or with an error for users', () => {
  const keys = fc.constantFrom(
    ...trained.flatMap((family) => Object.keys(published.families[family].keys)),
    'rope_scaling',
    'rope_theta',
    '__proto__',
  );
  fc.assert(
    fc.property(fc.dictionary(keys, fc.jsonValue()), fc.constantFrom(...trained), (config, family) => {
      try {
        expect(Model.fromConfig({ ...small(family), ...(config as object) }).layout.size).toBeGreaterThan(0);
      } catch (error) {
        expect(error).toBeInstanceOf(MeanfieldError);
      }
    }),
  );
});
