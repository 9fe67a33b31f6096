import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MeanfieldError } from '../../base/errors.js';
import { Model } from '../../model/model.js';
import { loadModel } from '../load-model.js';
import { encodeGguf, type GgufTensor } from './encode.js';
import type { GgufValue } from './header.js';
import { openGguf } from './open-gguf.js';
import { quantize } from './quantize.js';
import { type GgmlType, ggmlTypes, REMOVED_TYPES } from './types.js';

const uint32 = (value: number): GgufValue => ({ type: 'UINT32', value });
const float32 = (value: number): GgufValue => ({ type: 'FLOAT32', value });
const string = (value: string): GgufValue => ({ type: 'STRING', value });
const strings = (value: string[]): GgufValue => ({ type: 'ARRAY', of: 'STRING', value });
const types = (value: number[]): GgufValue => ({ type: 'ARRAY', of: 'INT32', value });

/** Two heads of four rows on one of keys: a head's halves, and interleaved. */
const plain: Record<string, GgufValue> = {
  'general.architecture': string('llama'),
  'llama.block_count': uint32(1),
  'llama.context_length': uint32(16),
  'llama.embedding_length': uint32(8),
  'llama.feed_forward_length': uint32(4),
  'llama.attention.head_count': uint32(2),
  'llama.attention.head_count_kv': uint32(1),
  'llama.attention.layer_norm_rms_epsilon': float32(1e-5),
  'tokenizer.ggml.model': string('gpt2'),
  'tokenizer.ggml.pre': string('gpt-2'),
  'tokenizer.ggml.tokens': strings(['a', 'b', 'ab', '<|end|>', '[PAD4]']),
  'tokenizer.ggml.token_type': types([1, 1, 1, 3, 5]),
  'tokenizer.ggml.merges': strings(['a b']),
  'tokenizer.ggml.eos_token_id': uint32(3),
  'tokenizer.ggml.bos_token_id': uint32(3),
};

function tensor(name: string, shape: number[], values?: Float32Array): GgufTensor {
  const length = shape.reduce((product, size) => product * size, 1);
  return {
    ...{ name, shape, type: 'F32' },
    data: () => [quantize('F32', values ?? Float32Array.from({ length }, (_, i) => i))],
  };
}

const tensors = [
  tensor('token_embd.weight', [5, 8]),
  tensor('output_norm.weight', [8]),
  tensor('blk.0.attn_norm.weight', [8]),
  tensor('blk.0.attn_q.weight', [8, 8]),
  tensor('blk.0.attn_k.weight', [4, 8]),
  tensor('blk.0.attn_v.weight', [4, 8]),
  tensor('blk.0.attn_output.weight', [8, 8]),
  tensor('blk.0.ffn_norm.weight', [8]),
  tensor('blk.0.ffn_gate.weight', [4, 8]),
  tensor('blk.0.ffn_up.weight', [4, 8]),
  tensor('blk.0.ffn_down.weight', [8, 4]),
];

let folder: string;
let path: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-gguf-'));
  path = join(folder, 'm.gguf');
});
afterAll(() => rm(folder, { recursive: true }));

async function write(changes: Record<string, GgufValue | undefined> = {}, list = tensors): Promise<void> {
  const entries = Object.entries({ ...plain, ...changes }).filter(([, value]) => value !== undefined);
  await writeFile(path, Buffer.concat([...encodeGguf(new Map(entries as [string, GgufValue][]), list)]));
}

it('is a model of Hugging Face’s names, rows of queries and keys in halves', async () => {
  await write();
  const { model, parameters, tokenizer } = await loadModel(path);
  const views = model.layout.views(parameters);
  const first = (name: string) =>
    [...views[`model.layers.0.self_attn.${name}.weight`]!].filter((_, i) => i % 8 === 0).map((x) => x / 8);
  expect(first('q_proj')).toEqual([0, 2, 1, 3, 4, 6, 5, 7]);
  expect(first('k_proj')).toEqual([0, 2, 1, 3]);
  expect(first('v_proj')).toEqual([0, 1, 2, 3]);
  expect(model.config).toMatchObject({ rms_norm_eps: 1e-5, rope_theta: 10_000, tie_word_embeddings: true });
  expect([...tokenizer.encode('abba<|end|>')]).toEqual([2, 1, 0, 3]);
  expect(tokenizer.vocabularySize).toBe(4);
});

it('settings of positions and windows are followed', async () => {
  const config = async (changes: Record<string, GgufValue>, list = tensors) => {
    await write(changes, list);
    const opened = await openGguf(path);
    await opened.close();
    Model.fromConfig(opened.config);
    return opened.config;
  };
  const linear = { 'llama.rope.scaling.type': string('linear'), 'llama.rope.scaling.factor': float32(4) };
  expect(await config(linear)).toMatchObject({ rope_scaling: { rope_type: 'linear', factor: 4 } });
  const yarn = {
    ...{ 'llama.rope.scaling.type': string('yarn'), 'llama.rope.scaling.factor': float32(4) },
    'llama.rope.scaling.original_context_length': uint32(4),
  };
  expect(await config(yarn)).toMatchObject({
    rope_scaling: { rope_type: 'yarn', original_max_position_embeddings: 4 },
  });
  const window = { 'llama.attention.sliding_window': uint32(5) };
  expect(await config(window)).toMatchObject({ model_type: 'mistral', sliding_window: 5 });
  expect(await config({ 'llama.rope.freq_base': float32(500_000) })).toMatchObject({ rope_theta: 500_000 });
});

describe('what a file asks for and is not done is refused by name', () => {
  it.each([
    ['another architecture', { 'general.architecture': string('mamba') }, /architecture "mamba"; .* are llama, qwen2/],
    ['an adapter', { 'general.type': string('adapter') }, /no model but, as general\.type says, "adapter"/],
    ['a part', { 'split.count': { type: 'UINT16', value: 3 } }, /llama-gguf-split --merge/],
    ['no size', { 'llama.block_count': undefined }, /no llama\.block_count \(UINT32\)/],
    ['a size as text', { 'llama.block_count': string('1') }, /llama\.block_count is of type STRING, expected UINT32/],
    ['heads by layer', { 'llama.attention.head_count_kv': types([1]) }, /of type ARRAY, expected UINT32/],
    ['no heads', { 'llama.attention.head_count': uint32(0) }, /no attention heads/],
    ['experts', { 'llama.expert_count': uint32(8) }, /llama\.expert_count, which Meanfield does not follow/],
    ['a part of a head', { 'llama.rope.dimension_count': uint32(2) }, /turns 2 of the 4 elements/],
    [
      'values of another width',
      { 'llama.attention.value_length': uint32(8) },
      /keys have a width of 4 and its values of 8/,
    ],
    ['another kind of scaling', { 'llama.rope.scaling.type': string('su') }, /rope\.scaling\.type is "su"/],
    ['another tokenizer', { 'tokenizer.ggml.model': string('bert') }, /kind "bert", and gpt2/],
    ['no tokenizer', { 'tokenizer.ggml.model': undefined }, /no tokenizer\.ggml\.model/],
    ['another splitter', { 'tokenizer.ggml.pre': string('tekken') }, /"tekken" says .* gpt-2, smollm, llama-bpe/],
    ['no splitter', { 'tokenizer.ggml.pre': undefined }, /as "none" says/],
    ['no merges', { 'tokenizer.ggml.merges': undefined }, /no tokenizer\.ggml\.merges/],
    ['no tokens', { 'tokenizer.ggml.tokens': undefined }, /no tokenizer\.ggml\.tokens/],
    ['no merge', { 'tokenizer.ggml.merges': strings(['ab']) }, /"ab" is no merge of two tokens/],
    ['tokens as numbers', { 'tokenizer.ggml.tokens': types([1]) }, /ARRAY of INT32, expected ARRAY of STRING/],
    [
      'a token twice',
      { 'tokenizer.ggml.tokens': strings(['a', 'b', 'a', '<|end|>', 'c']) },
      /tokens 0 and 2 are both "a"/,
    ],
    ['fewer tokens', { 'tokenizer.ggml.tokens': strings(['a']) }, /has 1 tokens with 5 types, and an embedding of 5/],
    ['fewer types', { 'tokenizer.ggml.token_type': types([1]) }, /has 5 tokens with 1 types/],
  ] as [string, Record<string, GgufValue | undefined>, RegExp][])('%s', async (_, changes, message) => {
    await write(changes);
    await expect(loadModel(path)).rejects.toThrow(message);
    await expect(loadModel(path)).rejects.toThrow(MeanfieldError);
  });

  it.each([
    [
      'a quantised type',
      [{ ...tensor('x.weight', [1, 256]), type: 'Q2_K', data: () => [new Uint8Array(84)] }],
      /x\.weight is of type Q2_K, which is not read here; allowed: .*Q4_0/,
    ],
    ['a tensor too few', tensors.slice(0, -1), /there is no tensor model\.layers\.0\.mlp\.down_proj\.weight/],
    [
      'another shape',
      [...tensors.slice(0, -1), tensor('blk.0.ffn_down.weight', [4, 8])],
      /has shape \[4, 8\], but config\.json asks for \[8, 4\]/,
    ],
    [
      'frequencies of no kind',
      [...tensors, tensor('rope_freqs.weight', [2])],
      /rope_freqs\.weight is not that of a scaling/,
    ],
    [
      'factors in a Llama',
      [...tensors, tensor('rope_factors_long.weight', [2])],
      /rope_factors_long\.weight, which Meanfield does not follow/,
    ],
    ['no embedding', tensors.slice(1), /no tensor token_embd\.weight/],
  ] as [string, GgufTensor[], RegExp][])('%s', async (_, list, message) => {
    await write({}, list);
    await expect(loadModel(path)).rejects.toThrow(message);
  });

  it('a tensor that nobody knows is told', async () => {
    await write({}, [...tensors, tensor('blk.0.attn_sinks.weight', [2])]);
    expect((await loadModel(path)).notices).toEqual([expect.stringContaining('blk.0.attn_sinks.weight')]);
  });
});

describe('every number that the type of a tensor may have', () => {
  const readable = ['F32', 'F16', 'BF16', 'Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q8_0', 'Q4_K', 'Q5_K', 'Q6_K'];
  const named = Object.entries(ggmlTypes).map(([name, { id }]) => ({ id, name }));
  const unnamed = Array.from({ length: 64 }, (_, id) => id).filter((id) => named.every((each) => each.id !== id));

  it.each(named)('$id, $name, is read or refused by its name', async ({ name }) => {
    const { block, bytes } = ggmlTypes[name as GgmlType];
    const length = 256 / block;
    const odd = (at: string): GgufTensor => ({
      ...tensor(at, [1, 256]),
      type: name as GgmlType,
      data: () => [new Uint8Array(length * bytes)],
    });
    await write({}, [...tensors, odd('x.weight'), odd('y.weight')]);
    const opened = openGguf(path);
    if (readable.includes(name)) return (await opened).close();
    const all = `\\(2 tensors are of such types: ${name}\\)`;
    await expect(opened).rejects.toThrow(
      new RegExp(`tensor x\\.weight is of type ${name}, which .* ${all}; allowed: .*Q6_K`),
    );
    await expect(openGguf(path)).rejects.toThrow(MeanfieldError);
  });

  it.each([...unnamed, 2 ** 32 - 1])('%d is refused, by its name where it had one', async (id) => {
    await write({}, [...tensors, tensor('x.weight', [1, 256])]);
    const file = await readFile(path);
    // Behind the name: how many sizes, and two of them.
    file.writeUInt32LE(id, file.indexOf('x.weight') + 'x.weight'.length + 4 + 2 * 8);
    await writeFile(path, file);
    const { [id]: removed } = REMOVED_TYPES;
    const message = removed
      ? `"x.weight" is of type ${removed} (${id}), which llama.cpp no longer has`
      : `a type ${id} that is not known`;
    await expect(openGguf(path)).rejects.toThrow(message);
  });
});

it('a file that is none, or damaged, is told', async () => {
  await writeFile(path, 'GGUF\x03\0\0\0');
  await expect(loadModel(path)).rejects.toThrow(/m\.gguf is not a sound GGUF file: it ends within its header/);
  await writeFile(path, 'version https://git-lfs.github.com/spec/v1\n');
  await expect(loadModel(path)).rejects.toThrow(/a Git LFS pointer/);
  await expect(openGguf(path)).rejects.toThrow(/is no GGUF file but a Git LFS pointer/);
});
