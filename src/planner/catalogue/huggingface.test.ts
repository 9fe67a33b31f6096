import { describe, expect, it } from 'vitest';
import expected from '../../../test/fixtures/configs/expected.json' with { type: 'json' };
import { UsageError } from '../../base/errors.js';
import type { JsonObject } from '../../base/json.js';
import { modelFromConfig } from './models.js';

/** Keys of Llama and its kin, in the order of the figures below. */
const names = ['num_hidden_layers', 'hidden_size', 'num_attention_heads', 'num_key_value_heads', 'intermediate_size'];
const modern = (model_type: string, sizes: number[], vocab_size: number, more: JsonObject = {}): JsonObject => ({
  model_type,
  vocab_size,
  max_position_embeddings: 4096,
  ...Object.fromEntries(names.map((name, i) => [name, sizes[i]!])),
  ...more,
});

const tied = { tie_word_embeddings: true };

/** `config.json` of published models, and the sums of their tensors as their safetensors files say. */
const published: readonly (readonly [string, JsonObject, number])[] = [
  ['TinyLlama-1.1B', modern('llama', [22, 2048, 32, 4, 5632], 32000), 1_100_048_384],
  ['Llama-3.2-1B', modern('llama', [16, 2048, 32, 8, 8192], 128256, { ...tied, head_dim: 64 }), 1_235_814_400],
  ['Mistral-Nemo-12B', modern('mistral', [40, 5120, 32, 8, 14336], 131072, { head_dim: 128 }), 12_247_782_400],
  ['Qwen2.5-0.5B', modern('qwen2', [24, 896, 14, 2, 4864], 151936, tied), 494_032_768],
  ['Qwen3-0.6B', modern('qwen3', [28, 1024, 16, 8, 3072], 151936, { ...tied, head_dim: 128 }), 596_049_920],
  ['gemma-2-2b', modern('gemma2', [26, 2304, 8, 4, 9216], 256000, { head_dim: 256 }), 2_614_341_888],
  ['gemma-3-1b', modern('gemma3_text', [26, 1152, 4, 1, 6912], 262144, { head_dim: 256 }), 999_885_952],
  ['phi-2', modern('phi', [32, 2560, 32, 32, 10240], 51200), 2_779_683_840],
  ['Phi-3-mini', modern('phi3', [32, 3072, 32, 32, 8192], 32064), 3_821_079_552],
  ['starcoder2-3b', modern('starcoder2', [30, 3072, 24, 2, 12288], 49152, { use_bias: true }), 3_030_371_328],
  ['pythia-70m', modern('gpt_neox', [6, 512, 8, 8, 2048], 50304), 70_426_624],
  [
    'roberta-base',
    modern('roberta', [12, 768, 12, 12, 3072], 50265, { max_position_embeddings: 514, type_vocab_size: 1 }),
    124_645_632,
  ],
  ['bloom-560m', { model_type: 'bloom', n_layer: 24, hidden_size: 1024, n_head: 16, vocab_size: 250880 }, 559_214_592],
  [
    'distilgpt2',
    { model_type: 'gpt2', n_layer: 6, n_embd: 768, n_head: 12, n_positions: 1024, vocab_size: 50257 },
    81_912_576,
  ],
];

it.each(published)('%s has the parameters of its files', (name, config, parameters) => {
  expect(modelFromConfig(config, name)).toMatchObject({ name, parameters });
});

interface Expected {
  readonly small: JsonObject;
  readonly defaults: number;
  readonly without: Readonly<Record<string, number | null>>;
  readonly changes: readonly { readonly change: JsonObject; readonly parameters: number | null }[];
}

describe.each(Object.entries(expected as unknown as Readonly<Record<string, Expected>>))(
  '%s, beside the published class',
  (model_type, { small, defaults, without, changes }) => {
    const count = (config: JsonObject): number | string => {
      try {
        return modelFromConfig({ model_type, ...config }).parameters;
      } catch (error) {
        if (error instanceof UsageError) return error.message;
        throw error;
      }
    };

    it('counts the same with every default, and without each key', () => {
      expect(count({})).toBe(defaults);
      for (const [leftOut, parameters] of Object.entries(without)) {
        const { [leftOut]: _, ...config } = small;
        const got = count(config);
        // Heads that cannot share keys and values: no such model computes.
        if (typeof got === 'string') expect(got).toMatch(/not divisible by|experts of a layer|experts in n_group/);
        else expect([leftOut, got]).toEqual([leftOut, parameters]);
      }
    });

    it.each(changes)('counts the same with $change, or refuses it by name', ({ change, parameters }) => {
      const [changed = ''] = Object.keys(change);
      const got = count({ ...small, ...change });
      if (typeof got === 'string')
        expect(got).toMatch(new RegExp(`${changed}|not divisible by|experts of a layer|experts in n_group`));
      // A null that the class itself refuses is left out here.
      else expect(got).toBe(parameters ?? without[changed]);
    });
  },
);
