import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SafetensorsFile } from '../base/files/safetensors.js';
import { Random } from '../base/random.js';
import { encodeSafetensors } from '../base/safetensors-writer.js';
import { Model } from '../model/model.js';
import { isAdapterFolder } from './open-model.js';
import { adapterBase, adapterVector, readAdapter, writeAdapter } from './peft.js';

const fixtures = new URL('../../test/fixtures/', import.meta.url).pathname;
const llama = join(fixtures, 'adapters/llama');
let folder: string;
let model: Model;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-peft-'));
  model = Model.fromConfig(JSON.parse(await readFile(join(fixtures, 'models/llama/config.json'), 'utf8')));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A copy of the fixture with other settings. */
async function changed(name: string, change: Record<string, unknown>): Promise<string> {
  const copy = join(folder, name);
  await cp(llama, copy, { recursive: true });
  const settings = JSON.parse(await readFile(join(llama, 'adapter_config.json'), 'utf8'));
  await writeFile(join(copy, 'adapter_config.json'), JSON.stringify({ ...settings, ...change }));
  return copy;
}

/** A folder with tensors of our own beside the fixture's settings. */
async function holding(name: string, shapes: Record<string, readonly number[]>): Promise<string> {
  const copy = await changed(name, {});
  const tensors = Object.entries(shapes).map(([tensor, shape]) => ({
    name: tensor,
    shape,
    data: new Float32Array(shape.reduce((product, size) => product * size, 1)),
  }));
  await writeFile(join(copy, 'adapter_model.safetensors'), Buffer.concat([...encodeSafetensors(tensors)]));
  return copy;
}

const Q = 'model.layers.0.self_attn.q_proj';
const both = (layer: string, a: readonly number[], b: readonly number[]) => ({
  [`${layer}.lora_A.weight`]: a,
  [`${layer}.lora_B.weight`]: b,
});

describe('an adapter in a folder', () => {
  it('has ranks and scales of single layers', async () => {
    expect(await isAdapterFolder(llama)).toBe(true);
    expect(await isAdapterFolder(join(fixtures, 'models/llama'))).toBe(false);
    expect(await adapterBase(llama)).toBe('tiny/llama');
    const { layers } = await readAdapter(llama, model);
    expect(layers).toHaveLength(14);
    const of = (end: string) => layers.find(({ name }) => name.endsWith(end));
    expect(of('0.self_attn.q_proj')).toMatchObject({ rank: 4, scale: 2 / Math.sqrt(4) });
    expect(of('1.self_attn.q_proj')).toMatchObject({ rank: 6, scale: 2 / Math.sqrt(6) });
    expect(of('1.self_attn.o_proj')).toMatchObject({ rank: 4, scale: 5 / Math.sqrt(4) });
    expect(of('0.mlp.down_proj')).toMatchObject({ rank: 2, scale: 2 / Math.sqrt(2) });
  });

  it('is written so that it is read as it was, in the same bytes', async () => {
    for (const [i, targets] of [undefined, ['q_proj', 'down_proj'], ['layers.0.mlp.*']].entries()) {
      const settings = { rank: 3, alpha: 6, ...(targets && { targets }) };
      const adapted = model.adapt(settings);
      const trained = Float32Array.from({ length: adapted.trained.size }, (_, at) => Math.fround(Math.sin(at)));
      const to = join(folder, `written-${i}`);
      await mkdir(to);
      const hashes = await writeAdapter(to, { model: adapted, trained, settings, dropout: 0, base: 'tiny/llama' });
      const read = await readAdapter(to, model);
      expect(adapterVector(model.withAdapter(read.layers), read)).toEqual(trained);
      expect(read.layers.map(({ a: _a, b: _b, ...layer }) => layer)).toEqual(adapted.adapted);
      const config = JSON.parse(await readFile(join(to, 'adapter_config.json'), 'utf8'));
      expect(config.target_modules).toEqual(
        [
          ['down_proj', 'gate_proj', 'k_proj', 'o_proj', 'q_proj', 'up_proj', 'v_proj'],
          ['down_proj', 'q_proj'],
          ['down_proj', 'gate_proj', 'up_proj'].map((name) => `model.layers.0.mlp.${name}`),
        ][i],
      );
      const again = join(folder, `again-${i}`);
      await mkdir(again);
      expect(await writeAdapter(again, { model: adapted, trained, settings, dropout: 0, base: 'tiny/llama' })).toEqual(
        hashes,
      );
    }
  });

  it('may lack the part of the names that the head is put on, or have the name of the adapter in them', async () => {
    const short = await holding('short', both('base_model.model.layers.0.self_attn.q_proj', [4, 32], [32, 4]));
    expect((await readAdapter(short, model)).layers.map(({ name }) => name)).toEqual([Q]);
    const named = await holding('named', {
      [`base_model.model.${Q}.lora_A.default.weight`]: [4, 32],
      [`base_model.model.${Q}.lora_B.default.weight`]: [32, 4],
    });
    expect((await readAdapter(named, model)).layers).toHaveLength(1);
  });

  it("is refused where it is another model's, by every layer that does not fit", async () => {
    const other = Model.create('llama', {
      layers: 1,
      width: 16,
      heads: 2,
      keyValueHeads: 2,
      context: 8,
      vocabulary: 9,
    });
    await expect(readAdapter(llama, other)).rejects.toThrow(
      /is no adapter of this llama model: .*has matrices .* for a layer from .*beside tiny\/llama/s,
    );
    const gpt2 = Model.create('gpt2', { layers: 1, width: 16, heads: 2, keyValueHeads: 2, context: 8, vocabulary: 9 });
    await expect(readAdapter(llama, gpt2)).rejects.toThrow(
      /the model has no linear layer model\.layers\.0\.\S+; .*; and 11 more/s,
    );
  });

  it('may hold the embedding and the head themselves, which count in place of those of the base', async () => {
    const ends = join(fixtures, 'adapters/llama-ends');
    const { layers, replaced } = await readAdapter(ends, model);
    expect(layers.map(({ name, role, rank }) => [name, role, rank])).toEqual([
      ['model.embed_tokens', 'embedding', 3],
      ['model.layers.0.self_attn.q_proj', undefined, 3],
      ['model.layers.1.self_attn.q_proj', undefined, 3],
      ['lm_head', 'head', 2],
    ]);
    expect(Object.keys(replaced).sort()).toEqual(['lm_head.weight', 'model.embed_tokens.weight']);
    const base = await SafetensorsFile.open(join(fixtures, 'models/llama/model.safetensors'));
    for (const [name, values] of Object.entries(replaced)) expect(values).toEqual(await base.readFloat32(name));
    await base.close();
    const resized = await holding('resized', {
      ...both(Q, [4, 32], [32, 4]),
      'base_model.model.model.embed_tokens.base_layer.weight': [43, 32],
    });
    await expect(readAdapter(resized, model)).rejects.toThrow(
      /embed_tokens\.base_layer\.weight is \[43, 32\], which no matrix/,
    );
  });

  it('beside embedding or head alone makes them two matrices; beside the embedding it is refused with matrices of a linear layer', async () => {
    const tied = Model.fromConfig(JSON.parse(await readFile(join(fixtures, 'models/llama-tied/config.json'), 'utf8')));
    const embedding = (end: string) => ({
      [`model.embed_tokens.lora_embedding_A${end}`]: [2, 29],
      [`model.embed_tokens.lora_embedding_B${end}`]: [24, 2],
    });
    const beside = await readAdapter(await holding('tied', embedding('')), tied);
    expect(beside).toMatchObject({ untied: true, layers: [{ role: 'embedding', name: 'model.embed_tokens' }] });
    const head = await readAdapter(await holding('tied-head', both('lm_head', [2, 24], [29, 2])), tied);
    expect(head).toMatchObject({ untied: true, layers: [{ role: 'head', name: 'lm_head' }] });
    const each = { ...embedding(''), ...both('lm_head', [2, 24], [29, 2]) };
    // Of zeros: the same on both sides.
    expect(await readAdapter(await holding('tied-both', each), tied)).toMatchObject({
      untied: false,
      layers: [{ tied: true }],
    });
    const gpt2 = Model.create('gpt2', { layers: 1, width: 24, heads: 2, keyValueHeads: 2, context: 8, vocabulary: 29 });
    const alone = await holding('gpt2-head', both('lm_head', [2, 24], [29, 2]));
    await expect(readAdapter(alone, gpt2)).rejects.toThrow(
      /embedding and head apart, and a gpt2 model has one matrix.*targets: 'wte'/,
    );
    const linear = await holding('linear', both('model.embed_tokens', [2, 41], [32, 2]));
    await expect(readAdapter(linear, model)).rejects.toThrow(/no adapter of this llama model: model\.embed_tokens/);
  });

  it.each([
    [{ peft_type: 'IA3' }, /peft_type "IA3"\. Allowed: LORA/],
    [{ use_dora: true }, /use_dora is true, which is not computed here.*merge_and_unload/],
    [{ modules_to_save: 'lm_head' }, /is damaged: modules_to_save: /],
    [{ modules_to_save: [3] }, /is damaged: modules_to_save\.0: /],
    [{ modules_to_save: [''] }, /is damaged: modules_to_save\.0: /],
    [{ bias: 'all' }, /bias is "all"/],
    [{ r: -1 }, /is damaged: r: /],
    [{ r: 0 }, /is damaged: r: /],
    [{ r: 2.5 }, /is damaged: r: /],
    [{ lora_alpha: 0 }, /is damaged: lora_alpha: /],
    [{ lora_alpha: null }, /is damaged: lora_alpha: /],
    [{ alpha_pattern: { q_proj: 0 } }, /is damaged: alpha_pattern\.q_proj: /],
    [{ alpha_pattern: 3 }, /is damaged: alpha_pattern: /],
    [{ peft_type: undefined }, /peft_type nothing\. Allowed: LORA/],
    [{ base_model_name_or_path: ['x'] }, /is damaged: base_model_name_or_path: /],
    [{ trainable_token_indices: [-1] }, /is damaged: trainable_token_indices\.0: /],
    [{ trainable_token_indices: { embed_tokens: 'all' } }, /is damaged: trainable_token_indices: /],
    [{ trainable_token_indices: [3] }, /names model\.embed_tokens, of which it has no rows/],
    [{ lora_alpha: 'x' }, /is damaged: lora_alpha: /],
    [{ alpha_pattern: { '(a+)+$': 3 } }, /alpha_pattern has \(a\+\)\+\$, a regular expression/],
  ])('is refused for %j', async (change, message) => {
    await expect(readAdapter(await changed(JSON.stringify(change).slice(2, 9), change), model)).rejects.toThrow(
      message,
    );
  });

  it('is refused where the rest of its file, or a digit of its alpha, is missing', async () => {
    const cut = await changed('cut', {});
    const bytes = await readFile(join(llama, 'adapter_model.safetensors'));
    for (const length of [0, 7, 8, 100, bytes.length - 1]) {
      await writeFile(join(cut, 'adapter_model.safetensors'), bytes.subarray(0, length));
      await expect(readAdapter(cut, model), `${length}`).rejects.toThrow(
        /adapter_model\.safetensors is not a sound safetensors file/,
      );
    }
    const settings = await readFile(join(llama, 'adapter_config.json'), 'utf8');
    for (const alpha of ['NaN', 'Infinity', '1e999', '-2', '""']) {
      await writeFile(
        join(cut, 'adapter_config.json'),
        settings.replace(/"lora_alpha": \d+/, `"lora_alpha": ${alpha}`),
      );
      await expect(readAdapter(cut, model), alpha).rejects.toThrow(/adapter_config\.json is damaged/);
    }
  });

  it.each([
    [
      'out of the places of the model, with a hole',
      { embed_tokens: [42], lm_head: [42] },
      1,
      /the base has 41 tokens, and of 2 behind/,
    ],
    ['far out', { embed_tokens: [2 ** 40], lm_head: [2 ** 40] }, 1, /the base has 41 tokens/],
    [
      'in one of two matrices alone',
      { embed_tokens: [41], lm_head: [3] },
      1,
      /behind them lm_head\.weight has rows of 0/,
    ],
    ['twice', { embed_tokens: [3, 3], lm_head: [3, 4] }, 2, /names a token twice for model\.embed_tokens/],
    ['fewer than rows', { embed_tokens: [3], lm_head: [3] }, 2, /is \[2, 32\], expected \[1, 32\]/],
    ['of no matrix that has rows', { q_proj: [3] }, 1, /trainable_token_indices of adapter_config\.json does not name/],
    ['of nothing', null, 1, /trainable_token_indices of adapter_config\.json does not name/],
  ])('with rows of tokens %s is refused', async (name, told, rows, message) => {
    const folder = await holding(`tokens-${name}`, {
      ...both(Q, [4, 32], [32, 4]),
      'base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta': [rows, 32],
      'base_model.model.lm_head.token_adapter.trainable_tokens_delta': [rows, 32],
    });
    const path = join(folder, 'adapter_config.json');
    const settings = JSON.parse(await readFile(path, 'utf8'));
    await writeFile(path, JSON.stringify({ ...settings, trainable_token_indices: told }));
    await expect(readAdapter(folder, model)).rejects.toThrow(message);
  });

  it('with rows of tokens of a matrix that is none of tokens is refused', async () => {
    const rows = { [`${Q}.token_adapter.trainable_tokens_delta`]: [1, 32] };
    const folder = await holding('tokens-elsewhere', { ...both(Q, [4, 32], [32, 4]), ...rows });
    await expect(readAdapter(folder, model)).rejects.toThrow(/the model has no rows of tokens in model\.layers\.0/);
  });

  it('is refused with tensors that are no matrices of LoRA, or half of one', async () => {
    const half = await holding('half', { [`base_model.model.${Q}.lora_A.weight`]: [4, 32] });
    await expect(readAdapter(half, model)).rejects.toThrow(/of model\.layers\.0\.self_attn\.q_proj one matrix of two/);
    const more = await holding('more', { ...both(Q, [4, 32], [32, 4]), 'lm_head.weight': [41, 32] });
    await expect(readAdapter(more, model)).rejects.toThrow(/holds more than matrices of LoRA: lm_head\.weight/);
    const none = await holding('none', {});
    await expect(readAdapter(none, model)).rejects.toThrow(/holds no adapter/);
    const flat = await holding('flat', both(Q, [4, 32, 1], [32, 4]));
    await expect(readAdapter(flat, model)).rejects.toThrow(/has matrices \[4, 32, 1\]/);
    const empty = await holding('empty', both(Q, [0, 32], [32, 0]));
    await expect(readAdapter(empty, model)).rejects.toThrow(/no adapter of this llama model/);
    await rm(join(empty, 'adapter_model.safetensors'));
    await expect(readAdapter(empty, model)).rejects.toThrow(
      /Cannot read .*adapter_model\.safetensors: there is no such file/,
    );
  });

  it('gives a clear error for any bytes', async () => {
    const [settings, weights] = [await changed('hostile-settings', {}), await changed('hostile-weights', {})];
    const good = await readFile(join(llama, 'adapter_model.safetensors'));
    const random = new Random(7);
    for (let i = 0; i < 40; i++) {
      const bytes = good.subarray(0, random.below(good.length)).slice();
      for (let j = 0; j < 8 && bytes.length > 0; j++)
        bytes[random.below(Math.min(2000, bytes.length))] = random.below(256);
      await writeFile(join(weights, 'adapter_model.safetensors'), bytes);
      await expect(readAdapter(weights, model)).rejects.toThrow(/adapter_model\.safetensors/);
    }
    await fc.assert(
      fc.asyncProperty(fc.json(), async (text) => {
        await writeFile(join(settings, 'adapter_config.json'), text);
        await expect(readAdapter(settings, model)).rejects.toThrow(/adapter_config\.json/);
      }),
      { numRuns: 50 },
    );
  });
});
