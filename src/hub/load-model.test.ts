import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MeanfieldError, UsageError } from '../base/errors.js';
import type { JsonObject } from '../base/json.js';
import { CharsTokenizer } from '../data/index.js';
import type { FamilyName } from '../model/family-names.js';
import { Model } from '../model/model.js';
import { loadModel, type OpenTextModel, withTextModel } from './load-model.js';
import { writeModelFolder } from './model-folder.js';

const sizes = { layers: 1, width: 4, heads: 2, keyValueHeads: 1, context: 8, vocabulary: 3 };
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-load-'));
});
afterEach(() => rm(folder, { recursive: true }));

interface Changes {
  more?: string[];
  copies?: Record<string, string>;
  leave?: RegExp;
  family?: FamilyName;
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
  copies = {},
  leave = /^$/,
}: Changes = {}) {
  const model = Model.create(family, sizes);
  const parameters = Float32Array.from({ length: model.layout.size }, (_, i) => i / 7);
  const views = model.layout.views(parameters);
  await writeModelFolder(join(folder, 'model'), {
    config: { ...(model.config as JsonObject), ...config },
    generationConfig: { eos_token_id: 2 },
    tensors: [
      ...model.layout.entries
        .filter(({ name }) => !leave.test(name))
        .map(({ name, shape }) => ({ name: rename(name), shape, data: views[name]! })),
      ...model.layout.entries
        .filter(({ name }) => copies[name] !== undefined)
        .map(({ name, shape }) => ({ name: copies[name]!, shape, data: views[name]! })),
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

  it('reads one parameter after another where that is asked for, and tied ones that differ no more than together', async () => {
    const parameters = await save({ copies: { 'transformer.wte.weight': 'lm_head.weight' } });
    const each = (opened: OpenTextModel) =>
      Promise.all(
        opened.model.layout.entries.map(async ({ name, size, offset }) => {
          const values = new Float32Array(size);
          await opened.parameter!(name, values);
          return [values, parameters.subarray(offset, offset + size)] as const;
        }),
      );
    const read = await withTextModel(join(folder, 'model'), each);
    for (const [values, expected] of read) expect(values).toEqual(expected);
    await save({ family: 'llama', config: { tie_word_embeddings: true } });
    await expect(withTextModel(join(folder, 'model'), each)).rejects.toThrow('hold other values');
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
    await save({ more: ['transformer.h.0.attn.bias', 'transformer.h.0.attn.masked_bias'] });
    expect((await loadModel(folder)).notices).toEqual([]);
    await save({ more: ['h.0.attn.bias', 'h.0.attn.c_attn.other'] });
    expect((await loadModel(folder)).notices).toEqual([expect.stringContaining('1 tensors')]);
  });

  it('says what a tensor should have been', async () => {
    await save({ config: { vocab_size: 4 } });
    await expect(loadModel(folder)).rejects.toThrow('wte.weight has shape [3, 4], but config.json asks for [4, 4]');
    await save({ rename: (name) => name.replace('ln_f', 'ln_x') });
    await expect(loadModel(folder)).rejects.toThrow(
      'there is no tensor transformer.ln_f.weight, transformer.ln_f.bias. It has what is not known here: ' +
        'transformer.ln_x.bias, transformer.ln_x.weight.',
    );
  });

  it('reads tied tensors by whichever of their names is there, and no two that differ', async () => {
    const copies = { 'transformer.wte.weight': 'lm_head.weight' };
    const parameters = await save({ copies });
    expect((await loadModel(folder)).parameters).toEqual(parameters);
    await save({ copies, leave: /wte/ });
    expect((await loadModel(folder)).parameters).toEqual(parameters);
    await save({ family: 'llama', config: { tie_word_embeddings: true } });
    await expect(loadModel(folder)).rejects.toThrow(
      /embed_tokens.weight and lm_head.weight are one in this model, but hold other values.*"tie_word_embeddings": false/,
    );
    await save({ copies: { 'transformer.wte.weight': 'wte.weight', 'transformer.wpe.weight': 'wpe.weight' } });
    await expect(loadModel(folder)).rejects.toThrow(
      'transformer.wpe.weight and wpe.weight, transformer.wte.weight and wte.weight',
    );
  });

  describe('of BERT', () => {
    const older = (name: string) =>
      name.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta');
    const bare = { architectures: ['BertModel'] };

    it('reads older names, copies and what is not needed', async () => {
      const parameters = await save({
        family: 'bert',
        rename: older,
        copies: {
          'cls.predictions.bias': 'cls.predictions.decoder.bias',
          'bert.embeddings.word_embeddings.weight': 'cls.predictions.decoder.weight',
        },
        more: ['bert.embeddings.position_ids', 'bert.pooler.dense.weight', 'cls.seq_relationship.bias'],
      });
      const loaded = await loadModel(folder);
      expect(loaded.parameters).toEqual(parameters);
      expect(loaded.notices).toEqual([]);
    });

    it('reads a bare model, whose config.json says so', async () => {
      const rename = (name: string) => older(name).replace(/^bert\./, '');
      await save({ family: 'bert', leave: /^cls/, rename, more: ['embeddings.position_ids', 'pooler.dense.bias'] });
      await expect(loadModel(folder)).rejects.toThrow(
        /no tensor cls.predictions.transform.dense.weight, .*All of that belongs to the head of \["BertForMaskedLM"\]/,
      );
      await save({ family: 'bert', leave: /^cls/, rename, config: bare, more: ['embeddings.position_ids'] });
      const { model, parameters, notices } = await loadModel(folder);
      expect(model.scoresTokens).toBe(false);
      expect(parameters.length).toBe(Model.fromConfig({ ...(model.config as JsonObject) }).layout.size);
      expect(notices).toEqual([]);
    });

    it('tells all that is missing or misshapen, the first by name', async () => {
      await save({ family: 'bert', leave: /LayerNorm/, config: { intermediate_size: 24 } });
      await expect(loadModel(folder)).rejects.toThrow(
        /no tensor bert\..* and 3 more\. Tensor .*intermediate.dense.weight has shape \[16, 4\], but config.json asks for \[24, 4\]; /,
      );
    });

    it('whatever the names, answers with a model or with an error for users', async () => {
      const names = Model.create('bert', sizes).layout.entries.map(({ name }) => name);
      const more = fc.uniqueArray(
        fc.oneof(
          fc.constantFrom(
            ...names.map((name) => name.replace(/^bert\./, '')),
            'cls.',
            'bert.bert.pooler',
            'LayerNorm.gamma',
          ),
          fc.string({ maxLength: 20 }).filter((name) => name !== '__metadata__'),
        ),
        { maxLength: 4 },
      );
      await fc.assert(
        fc.asyncProperty(more, async (added) => {
          await save({ family: 'bert', more: added.filter((name) => !names.includes(name)) });
          try {
            expect((await loadModel(folder)).parameters.length).toBeGreaterThan(0);
          } catch (error) {
            expect(error).toBeInstanceOf(MeanfieldError);
          }
        }),
        { numRuns: 30 },
      );
    });
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
