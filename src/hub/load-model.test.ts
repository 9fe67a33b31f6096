import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UsageError } from '../base/errors.js';
import type { JsonObject } from '../base/json.js';
import { CharsTokenizer } from '../data/index.js';
import { Model } from '../model/model.js';
import { loadModel } from './load-model.js';
import { writeModelFolder } from './model-folder.js';

const sizes = { layers: 1, width: 4, heads: 2, keyValueHeads: 1, context: 8, vocabulary: 3 };
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-load-'));
});
afterEach(() => rm(folder, { recursive: true }));

interface Changes {
  more?: string[];
  family?: 'gpt2' | 'llama';
  config?: JsonObject;
  rename?: (name: string) => string;
  tokenizer?: boolean;
}

async function save({
  family = 'gpt2',
  config = {},
  rename = (name) => name,
  tokenizer = true,
  more = [],
}: Changes = {}) {
  const model = Model.create(family, sizes);
  const parameters = Float32Array.from({ length: model.layout.size }, (_, i) => i / 7);
  const views = model.layout.views(parameters);
  await writeModelFolder(join(folder, 'model'), {
    config: { ...(model.config as JsonObject), ...config },
    generationConfig: { eos_token_id: 2 },
    tensors: [
      ...model.layout.entries.map(({ name, shape }) => ({ name: rename(name), shape, data: views[name]! })),
      ...more.map((name) => ({ name, shape: [1], data: new Float32Array(1) })),
    ],
    tokenizerFiles: tokenizer ? { ...new CharsTokenizer([97, 98, 99]).files() } : {},
  });
  return parameters;
}

describe('loadModel', () => {
  it.each(['gpt2', 'llama'] as const)('loads %s from a run or from its model folder', async (family) => {
    const parameters = await save({ family });
    for (const path of [folder, join(folder, 'model')]) {
      const loaded = await loadModel(path);
      expect(loaded.parameters).toEqual(parameters);
      expect(loaded.model.architecture.name).toBe(family);
      expect(loaded.model.dimensions).toEqual({ ...sizes, keyValueHeads: family === 'gpt2' ? 2 : 1 });
      expect([...loaded.tokenizer.encode('cab')]).toEqual([2, 0, 1]);
      expect(loaded.generationConfig).toEqual({ eos_token_id: 2 });
    }
  });

  it('reads the names of a bare model', async () => {
    const parameters = await save({ rename: (name) => name.replace('transformer.', '') });
    expect((await loadModel(folder)).parameters).toEqual(parameters);
  });

  it('tells of keys and tensors that nothing reads, but for what older versions saved', async () => {
    await save({ family: 'llama', more: ['model.rotary_emb.inv_freq'] });
    expect((await loadModel(folder)).notices).toEqual([]);
    const bias = 'model.layers.0.self_attn.q_proj.bias';
    await save({ family: 'llama', config: { logit_scale: 2 }, more: [bias] });
    expect((await loadModel(folder)).notices).toEqual([
      expect.stringMatching(/neither Meanfield nor LlamaConfig reads: logit_scale\./),
      expect.stringMatching(/model\.safetensors has 1 tensors that a llama model .* does not have: .*q_proj\.bias\./),
    ]);
    await save({ more: ['transformer.h.0.attn.bias', 'transformer.h.0.attn.masked_bias', 'lm_head.weight'] });
    expect((await loadModel(folder)).notices).toEqual([]);
  });

  it('says what a tensor should have been', async () => {
    await save({ config: { vocab_size: 4 } });
    await expect(loadModel(folder)).rejects.toThrow('wte.weight has shape [3, 4], but config.json asks for [4, 4]');
    await save({ rename: (name) => name.replace('ln_f', 'ln_x') });
    await expect(loadModel(folder)).rejects.toThrow('no tensor transformer.ln_f.weight');
  });

  it('refuses what is missing, of another family or no model', async () => {
    await expect(loadModel(join(folder, 'nowhere'))).rejects.toThrow('There is no model in');
    await save({ tokenizer: false });
    await expect(loadModel(folder)).rejects.toThrow('has no tokenizer.json');
    await save({ config: { model_type: 'bart' } });
    await expect(loadModel(folder)).rejects.toThrow(UsageError);
    await save();
    await writeFile(join(folder, 'model', 'model.safetensors'), 'damaged');
    await expect(loadModel(folder)).rejects.toThrow('is damaged');
  });
});
