import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MeanfieldError, UsageError } from '../../base/errors.js';
import type { JsonValue } from '../../base/json.js';
import { modelNotices, readModelConfig } from './model-config.js';

const gpt2 = { model_type: 'gpt2', n_layer: 2, n_embd: 8, n_head: 2, n_positions: 16, vocab_size: 10 };
const llama = {
  model_type: 'llama',
  num_hidden_layers: 2,
  hidden_size: 8,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  intermediate_size: 24,
  max_position_embeddings: 16,
  vocab_size: 10,
};

describe('readModelConfig', () => {
  it('reads the keys of each family and fills in what the family leaves out', () => {
    expect(readModelConfig({ ...gpt2, n_inner: null })).toMatchObject({ feedForward: 32, tiedHead: true, headSize: 4 });
    expect(readModelConfig({ ...gpt2, n_inner: 20 }).feedForward).toBe(20);
    expect(readModelConfig(llama)).toMatchObject({ keyValueHeads: 2, feedForwardMatrices: 3, biases: [], headSize: 2 });
    expect(readModelConfig({ ...llama, head_dim: 16 }).headSize).toBe(16);
    expect(readModelConfig({ ...llama, num_key_value_heads: null }).keyValueHeads).toBe(4);
    expect(readModelConfig({ ...llama, tie_word_embeddings: true }).tiedHead).toBe(true);
    expect(readModelConfig({ ...llama, attention_bias: true }).biases).toEqual(['queryKeyValue', 'output']);
    expect(readModelConfig({ ...llama, model_type: 'qwen2' }).biases).toEqual(['queryKeyValue']);
    expect(readModelConfig({ ...llama, model_type: 'qwen3' }).queryKeyNorm).toBe(true);
  });

  it('reads the older names of a key, and keys within keys', () => {
    const bloom = { model_type: 'bloom', n_layer: 2, n_embed: 8, num_attention_heads: 2, vocab_size: 10 };
    expect(readModelConfig(bloom)).toMatchObject({ hidden: 8, heads: 2, context: 2048, positions: 'alibi' });
    const mpt = { model_type: 'mpt', n_layers: 2, d_model: 8, n_heads: 4, max_seq_len: 16, vocab_size: 10 };
    expect(readModelConfig(mpt)).toMatchObject({ positions: 'alibi', positionRows: 0, normBias: false });
    expect(readModelConfig({ ...mpt, no_bias: false, attn_config: { alibi: false } })).toMatchObject({
      positions: 'learned',
      positionRows: 16,
      normBias: true,
    });
    expect(
      readModelConfig({ ...mpt, no_bias: true, expansion_ratio: 3, attn_config: { alibi: true, kv_n_heads: 2 } }),
    ).toMatchObject({
      positions: 'alibi',
      positionRows: 0,
      keyValueHeads: 2,
      feedForward: 24,
      biases: [],
      normBias: false,
    });
  });

  it('names the key that is wrong, what it holds and what is allowed', () => {
    expect(() => readModelConfig({ ...gpt2, n_embd: '8' })).toThrow(/n_embd to be a whole number .*, got "8"/);
    expect(() => readModelConfig({ ...gpt2, n_embd: 9 })).toThrow(/width 9 is not divisible by 2 heads/);
    expect(() => readModelConfig({ ...llama, num_key_value_heads: 3 })).toThrow(/4 heads are not divisible by 3/);
    expect(() => readModelConfig({ ...llama, num_hidden_layers: 2, n_layer: 3, model_type: 'bloom' })).toThrow(
      /n_layer is given twice, as 2 and as 3/,
    );
    expect(() => readModelConfig({ ...llama, model_type: 'lama' })).toThrow(
      /Unknown model_type "lama". Nearest: llama/,
    );
    expect(() => readModelConfig({})).toThrow(/No model_type. Allowed: llama, /);
    expect(() => readModelConfig([])).toThrow(/JSON object/);
    const opt = { ...llama, model_type: 'opt', layer_norm_elementwise_affine: false };
    expect(() => readModelConfig(opt)).toThrow(/opt with layer_norm_elementwise_affine = false is another model/);
    expect(() => readModelConfig({ ...llama, per_layer_config: { 0: {} } })).toThrow(
      /per_layer_config = .* is another/,
    );
    const mixtral = { ...llama, model_type: 'mixtral', num_local_experts: 2, num_experts_per_tok: 3 };
    expect(() => readModelConfig(mixtral)).toThrow(/passes 3 experts of a layer that has 2/);
  });

  it('reads the groups that a token’s experts lie in', () => {
    const groupsOf = (change: Readonly<Record<string, JsonValue>>) =>
      readModelConfig({ model_type: 'deepseek_v3', ...change }).experts?.groups;
    expect(groupsOf({})).toEqual({ count: 8, active: 4 });
    expect(groupsOf({ n_group: 4, topk_group: 2 })).toEqual({ count: 4, active: 2 });
    // All of them, or those of another number of experts, are no limit.
    expect(groupsOf({ n_group: 1, topk_group: 1 })).toBeUndefined();
    expect(groupsOf({ n_routed_experts: 60 })).toBeUndefined();
    expect(() => groupsOf({ n_routed_experts: 60, n_group: 8 })).toThrow(/60 experts in n_group 8, of which a token/);
    expect(() => groupsOf({ n_group: 2, topk_group: 4 })).toThrow(/no more in use than there are/);
  });

  it.each([0, -1, 1.5, 1e300, 2 ** 53, true, [], {}])('refuses %j as a size', (value) => {
    for (const key of Object.keys(gpt2).filter((name) => name !== 'model_type')) {
      expect(() => readModelConfig({ ...gpt2, [key]: value })).toThrow(UsageError);
    }
  });

  it('takes no value from a prototype', () => {
    for (const type of ['__proto__', 'toString', 'constructor']) {
      expect(() => readModelConfig({ model_type: type })).toThrow(/Unknown model_type/);
    }
    const inherited = JSON.parse('{"__proto__": {"n_layer": 2}, "model_type": "gpt2"}');
    expect(readModelConfig(inherited).layers).toBe(12);
  });

  it('tells which sizes its class had to give, and which keys nobody knows', () => {
    expect(modelNotices(llama)).toEqual([]);
    const { num_key_value_heads: _, vocab_size: _v, ...short } = llama;
    expect(modelNotices({ ...short, num_key_value_head: 2 })).toEqual([
      "LlamaConfig's defaults stand for what the file leaves out: vocab_size 32000.",
      'LlamaConfig does not know these keys of the file: num_key_value_head.',
    ]);
    expect(modelNotices({ ...short, model_type: 'mistral' })[0]).toMatch(/num_key_value_heads 8, vocab_size 32000\.$/);
    const old = { torch_dtype: 'bfloat16', rope_theta: 1e6, rope_scaling: null, do_sample: true, sliding_window: 512 };
    expect(modelNotices({ ...llama, ...old, model_type: 'mistral' })).toEqual([]);
  });

  it('whatever the values, answers with a shape or with an error for users', () => {
    const keys = fc.constantFrom(...Object.keys(gpt2), ...Object.keys(llama), 'attn_config', 'head_dim');
    const type = fc.constantFrom('gpt2', 'llama', 'mpt', 'mixtral', 'bloom', 'bert');
    fc.assert(
      fc.property(fc.dictionary(keys, fc.jsonValue()), type, (config, model_type) => {
        try {
          expect(readModelConfig({ ...(config as Record<string, JsonValue>), model_type }).layers).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(MeanfieldError);
        }
      }),
    );
  });
});
