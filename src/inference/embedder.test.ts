import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import expected from '../../test/fixtures/sentence/expected.json' with { type: 'json' };
import { load } from './load.js';

const tiny = new URL('../../test/fixtures/sentence/tiny', import.meta.url).pathname;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-embed-'));
  await cp(tiny, folder, { recursive: true });
});
afterEach(() => rm(folder, { recursive: true }));

const put = (path: string, value: unknown) => writeFile(join(folder, path), JSON.stringify(value));

async function embed(texts: readonly string[] = expected.texts): Promise<number[][]> {
  await using model = await load(folder, { threads: 1 });
  return (await model.embed(texts)).map((vector) => [...vector]);
}

function expectClose(actual: number[][], reference: readonly (readonly number[])[]): void {
  expect(actual.map(({ length }) => length)).toEqual(reference.map(({ length }) => length));
  const differences = actual.flatMap((row, i) => row.map((value, j) => Math.abs(value - reference[i]![j]!)));
  expect(Math.max(...differences)).toBeLessThan(1e-5);
}

/** Leaves pooling alone. */
async function poolBy(config: object): Promise<void> {
  const kinds = ['Transformer', 'Pooling'];
  await put(
    'modules.json',
    kinds.map((kind, i) => ({ idx: i, path: `${i}_${kind}`, type: `sentence_transformers.models.${kind}` })),
  );
  await put('1_Pooling/config.json', config);
}

describe('the vectors of a sentence-transformers folder', () => {
  it('are those of PyTorch, with two poolings, a dense layer and the norm', async () => {
    expectClose(await embed(), expected.whole);
  });

  it.each(Object.entries(expected.poolings))('are those of PyTorch, pooled by %s', async (mode, vectors) => {
    await poolBy({ embedding_dimension: 12, pooling_mode: mode });
    expectClose(await embed(), vectors);
  });

  it('are the same by the older keys, and joined in their order', async () => {
    await poolBy({ word_embedding_dimension: 12, pooling_mode_mean_tokens: true, pooling_mode_cls_token: true });
    const joined = expected.poolings.cls.map((row, i) => [...row, ...expected.poolings.mean[i]!]);
    expectClose(await embed(), joined);
    await poolBy({ word_embedding_dimension: 12, pooling_mode_mean_tokens: false });
    expectClose(await embed(), expected.poolings.mean);
  });

  it('are means where the model lies alone', async () => {
    folder = join(folder, '0_Transformer');
    const [first] = await embed([expected.texts[0]!]);
    folder = join(folder, '..');
    expectClose([first!], [expected.poolings.mean[0]!]);
  });

  it('follow the prompt that is the default', async () => {
    await put('config_sentence_transformers.json', { prompts: { query: 'the ' }, default_prompt_name: 'query' });
    const prompted = await embed(['cat sat', 'dog']);
    await put('config_sentence_transformers.json', {});
    expectClose(prompted, await embed(['the cat sat', 'the dog']));
  });

  it('are the same alone and among others, however many', async () => {
    const [alone] = await embed(['the cat']);
    const among = await embed([...expected.texts, ...Array.from({ length: 140 }, () => 'a dog'), 'the cat']);
    expectClose([among.at(-1)!], [alone!]);
    expect(await embed([])).toEqual([]);
  });
});

describe('what is wrong is told', () => {
  it.each<[string, string, unknown, RegExp]>([
    ['no list', 'modules.json', { idx: 0 }, /modules\.json is damaged: expected a list that/],
    ['no transformer', 'modules.json', [], /begins with a Transformer/],
    ['a folder elsewhere', 'modules.json', [{ type: 'x.Transformer', path: '../..' }], /a folder elsewhere/],
    [
      'no pooling',
      'modules.json',
      [{ type: 'x.Transformer', path: '0_Transformer' }],
      /expected Pooling .* got nothing/,
    ],
    [
      'a pooling of its own',
      '1_Pooling/config.json',
      { pooling_mode: 'median' },
      /expected pooling_mode of cls, .*"median"/,
    ],
    ['a pooling that an object has', '1_Pooling/config.json', { pooling_mode: 'toString' }, /expected pooling_mode of/],
    ['no sizes', '2_Dense/config.json', { in_features: 0, out_features: 8 }, /expected sizes in_features/],
    ['other sizes', '2_Dense/config.json', { in_features: 12, out_features: 8 }, /linear\.weight has shape \[8,24\]/],
    [
      'an activation of its own',
      '2_Dense/config.json',
      { in_features: 24, out_features: 8, activation_function: 'os.system' },
      /activation_function is "os\.system", which Meanfield does not compute/,
    ],
    [
      'a residual',
      '2_Dense/config.json',
      { in_features: 24, out_features: 8, use_residual: true },
      /use_residual is true, which Meanfield does not compute/,
    ],
    [
      'no number of tokens',
      '0_Transformer/sentence_bert_config.json',
      { max_seq_length: -1 },
      /max_seq_length, got -1/,
    ],
    ['no such prompt', 'config_sentence_transformers.json', { default_prompt_name: 'x' }, /default_prompt_name/],
  ])('%s', async (_what, path, value, message) => {
    await put(path, value);
    await expect(embed()).rejects.toThrow(message);
  });

  it('a module that is not computed here', async () => {
    const rest = ['LayerNorm', 'Dense'].map((kind) => ({ type: `x.${kind}`, path: '2_Dense' }));
    const first = ['Transformer', 'Pooling'].map((kind, i) => ({ type: `x.${kind}`, path: `${i}_${kind}` }));
    await put('modules.json', [...first, ...rest]);
    await expect(embed()).rejects.toThrow(/has a module LayerNorm, which Meanfield does not compute/);
  });

  it('what is no list of texts, and a model that is closed', async () => {
    const model = await load(folder);
    await expect(model.embed('a' as unknown as string[])).rejects.toThrow('expected a list of texts');
    await model.close();
    await expect(model.embed(['a'])).rejects.toThrow('The model is closed');
  });

  it('to measure it by masked tokens, which it does not tell', async () => {
    await using model = await load(folder);
    await expect(model.evaluate([join(tiny, 'modules.json')])).rejects.toThrow(
      /has no head that tells masked tokens: `architectures` in its config.json names BertModel/,
    );
  });
});
