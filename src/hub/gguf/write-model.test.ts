import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../base/json.js';
import { BytesTokenizer, CharsTokenizer } from '../../data/index.js';
import type { FamilyName } from '../../model/family-names.js';
import { type LoadedModel, loadModel } from '../load-model.js';
import { encodeGguf } from './encode.js';
import { smallModel, tokenizerOf, WRITTEN } from './gguf.test-support.js';
import { GgufFile } from './gguf-file.js';
import type { WritableType } from './quantize.js';
import { writtenModel } from './write-model.js';

const tokenizer = tokenizerOf('the cat and the hat, the cat is that. '.repeat(9));
let folder: string;
let path: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-gguf-'));
  path = join(folder, 'm.gguf');
});
afterAll(() => rm(folder, { recursive: true }));

async function written(loaded: LoadedModel, type: WritableType = 'F32') {
  const { metadata, tensors, notices } = writtenModel(loaded, type);
  await writeFile(path, Buffer.concat([...encodeGguf(metadata, tensors)]));
  return { metadata, notices };
}

describe('what was written is read to the bit', () => {
  it.each(WRITTEN)('%s', async (family) => {
    const loaded = smallModel(family, tokenizer);
    await written(loaded);
    const read = await loadModel(path);
    const { entries } = loaded.model.layout;
    expect(read.notices).toEqual([]);
    expect(read.model.layout.entries).toEqual(entries);
    // A Gemma's norms lose a last digit to the 1 that files add.
    const exact = !family.startsWith('gemma');
    for (const { name, shape, offset, size } of entries) {
      const [got, given] = [read.parameters, loaded.parameters].map((all) => all.subarray(offset, offset + size));
      if (exact || shape.length > 1) expect(got, name).toEqual(given);
      else expect(got, name).toEqual(given!.map((value) => Math.fround(Math.fround(value + 1) - 1)));
    }
    const keys = Object.keys(read.model.config as object).filter((key) => /size|num_|n_|eps|rope|head/.test(key));
    for (const key of keys) {
      const [got, given] = [read, loaded].map(({ model }) => (model.config as JsonObject)[key]);
      if (given !== undefined && given !== null) expect(got, key).toEqual(given);
    }
    const text = 'the cat<|endoftext|>is naïve 123';
    expect(read.tokenizer.encode(text)).toEqual(tokenizer.encode(text));
    expect(read.tokenizer.endOfText).toBe(tokenizer.endOfText);
    expect(read.tokenizer.kind).toBe('bpe');
  });

  it.each([
    ['llama', { rope_scaling: { rope_type: 'linear', factor: 4 } }],
    ['llama', { rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 16 } }],
    ['llama', { attention_bias: true, mlp_bias: true, head_dim: 8 }],
    ['phi3', { partial_rotary_factor: 0.5 }],
    [
      'phi3',
      {
        original_max_position_embeddings: 32,
        rope_scaling: { type: 'longrope', short_factor: Array(8).fill(1.5), long_factor: Array(8).fill(2) },
      },
    ],
    ['gemma3_text', { sliding_window: 16, sliding_window_pattern: 2, final_logit_softcapping: 20 }],
  ] as [FamilyName, JsonObject][])('%s with %j', async (family, change) => {
    const loaded = smallModel(family, tokenizer, change);
    await written(loaded);
    const read = await loadModel(path);
    expect(read.model.layout.entries).toEqual(loaded.model.layout.entries);
    expect(read.model.dimensions).toEqual(loaded.model.dimensions);
    const { rope_scaling: scaling, ...rest } = change;
    if (scaling) expect((read.model.config as JsonObject).rope_scaling).toMatchObject(scaling as object);
    if (family !== 'gemma3_text') expect(read.model.config).toMatchObject(rest);
    else
      expect((read.model.config as JsonObject).layer_types).toEqual(
        ['sliding', 'full', 'sliding', 'full'].map((kind) => `${kind}_attention`),
      );
  });

  it('Llama 3’s waves', async () => {
    const scaling = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };
    const change = { rope_theta: 500_000, head_dim: 64, rope_scaling: { rope_type: 'llama3', ...scaling } };
    await written(smallModel('llama', tokenizer, change));
    expect(((await loadModel(path)).model.config as JsonObject).rope_scaling).toEqual(change.rope_scaling);
  });
});

it('matrices are blocks of the type asked for, or halves where rows are none; all else is float32', async () => {
  const loaded = smallModel('gpt2', tokenizer, { n_inner: 80 });
  await written(loaded, 'Q4_0');
  const file = await GgufFile.open(path);
  const types = Object.fromEntries([...file.tensors].map(([name, { type }]) => [name, type]));
  await file.close();
  expect(types).toMatchObject({
    'token_embd.weight': 'Q4_0',
    'position_embd.weight': 'F32',
    'output_norm.weight': 'F32',
    'blk.0.attn_qkv.weight': 'Q4_0',
    'blk.0.attn_qkv.bias': 'F32',
    'blk.0.ffn_up.weight': 'Q4_0',
    'blk.0.ffn_down.weight': 'F16',
  });
  const { parameters } = await loadModel(path);
  let [squares, errors] = [0, 0];
  for (const [i, value] of loaded.parameters.entries()) {
    squares += value ** 2;
    errors += (value - parameters[i]!) ** 2;
  }
  expect(Math.sqrt(errors / squares)).toBeLessThan(0.1);
});

it('a window becomes the context, and is told', async () => {
  const { metadata, notices } = await written(smallModel('mistral', tokenizer, { sliding_window: 20 }));
  expect(metadata.get('llama.context_length')).toEqual({ type: 'UINT32', value: 20 });
  expect(notices).toEqual([expect.stringMatching(/no window in a llama: the file says a context of 20 tokens/)]);
});

it('a model of bytes is pairs without merges', async () => {
  const loaded = {
    ...smallModel('gpt2', tokenizer),
    tokenizer: new BytesTokenizer(),
    tokenizerFiles: { ...new BytesTokenizer().files() },
  };
  await written(loaded);
  const read = await loadModel(path);
  expect([...read.tokenizer.encode('aé<|endoftext|>')]).toEqual([...Buffer.from('aé<|endoftext|>')]);
});

it('a token that was added without a row stays out, as the one for images of Gemma 3 in its models of text', async () => {
  const loaded = smallModel('gpt2', tokenizer);
  const json = JSON.parse(loaded.tokenizerFiles['tokenizer.json']!);
  const image = { ...json.added_tokens[0], content: '<image>', id: loaded.model.dimensions.vocabulary };
  const changed = JSON.stringify({ ...json, added_tokens: [...json.added_tokens, image] });
  await written({ ...loaded, tokenizerFiles: { ...loaded.tokenizerFiles, 'tokenizer.json': changed } });
  const read = await loadModel(path);
  expect(read.tokenizer.vocabularySize).toBe(tokenizer.vocabularySize);
  const text = 'the cat<|endoftext|><image>';
  expect(read.tokenizer.encode(text)).toEqual(tokenizer.encode(text));
});

describe('what llama.cpp would compute otherwise is refused by name', () => {
  it.each([
    [
      'bert',
      {},
      /A bert model is not written as GGUF; those that are: gemma, gemma2, gemma3_text, gpt2, llama, mistral/,
    ],
    ['t5', {}, /A t5 model is not written as GGUF: it reads a source .* Export it to onnx/],
    ['qwen3', { attention_bias: true }, /attention_bias is true, and llama\.cpp has no such biases/],
    ['qwen2', { head_dim: 32 }, /head_dim is 32, and llama\.cpp takes hidden_size \/ num_attention_heads, 16/],
    ['smollm3', { no_rope_layers: [1, 1, 0, 1] }, /no_rope_layers is \[1,1,0,1\], and llama\.cpp has positions/],
    ['smollm3', { no_rope_layer_interval: 2 }, /no_rope_layer_interval is 2/],
    ['gemma2', { query_pre_attn_scalar: 100 }, /query_pre_attn_scalar is 100, and llama\.cpp takes 16/],
    ['gemma2', { final_logit_softcapping: null }, /final_logit_softcapping is null, and llama\.cpp always caps it/],
    ['gemma', { tie_word_embeddings: false }, /tie_word_embeddings is false/],
    [
      'gemma3_text',
      { layer_types: ['full', 'sliding', 'sliding', 'full'].map((kind) => `${kind}_attention`) },
      /layer_types is .*even distances/,
    ],
    [
      'llama',
      { rope_scaling: { rope_type: 'yarn', factor: 4, beta_fast: 16 } },
      /rope_scaling is .*of yarn factor and/,
    ],
    [
      'qwen2',
      { rope_scaling: { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4 } },
      /rope_scaling is .*rope_freqs in a Llama alone/,
    ],
  ] as [FamilyName, JsonObject, RegExp][])('%s with %j', async (family, change, message) => {
    await expect(written(smallModel(family, tokenizer, change))).rejects.toThrow(message);
  });

  const json = JSON.parse(tokenizer.files()['tokenizer.json']);
  it.each([
    [
      'chars',
      JSON.parse(new CharsTokenizer([97, 98]).files()['tokenizer.json']),
      /tokenizer of characters \(chars\): llama\.cpp has none/,
    ],
    [
      'pairs with bytes, prepared in another way',
      { ...json, model: { ...json.model, byte_fallback: true } },
      /prepares text in another way than Llama 2 or Gemma/,
    ],
    ['Unigram', { ...json, model: { type: 'Unigram' } }, /a Unigram tokenizer/],
    [
      'another way of splitting',
      { ...json, normalizer: { type: 'Lowercase' } },
      /splits text .* gpt-2, smollm, llama-bpe, qwen2/,
    ],
    ['whole words', { ...json, model: { ...json.model, ignore_merges: true } }, /splits text in a way/],
    [
      'a blank before a token',
      { ...json, added_tokens: [{ ...json.added_tokens[0], lstrip: true }] },
      /takes blanks or word ends/,
    ],
    [
      'more tokens than rows',
      { ...json, model: { ...json.model, vocab: { ...json.model.vocab, x: 999 } } },
      /token "x" is 999, where the model has 277 rows/,
    ],
  ])('a tokenizer of %s', async (_, changed, message) => {
    const loaded = smallModel('gpt2', tokenizer);
    const tokenizerFiles = { ...loaded.tokenizerFiles, 'tokenizer.json': JSON.stringify(changed) };
    await expect(written({ ...loaded, tokenizerFiles })).rejects.toThrow(message);
  });
});
