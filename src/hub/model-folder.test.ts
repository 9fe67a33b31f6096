import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MeanfieldError } from '../base/errors.js';
import { SafetensorsFile } from '../base/files/safetensors.js';
import { type ModelContent, readModelFolder, writeModelFolder } from './model-folder.js';

let parent: string;
let folder: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'model-'));
  folder = join(parent, 'model');
});
afterEach(() => rm(parent, { recursive: true }));

const content = (value: number): ModelContent => ({
  config: { model_type: 'gpt2', n_layer: value, architectures: ['GPT2LMHeadModel'] },
  generationConfig: { eos_token_id: null },
  tensors: [
    { name: 'transformer.wte.weight', shape: [2, 1], data: Float32Array.of(value, -value) },
    { name: 'transformer.ln_f.bias', shape: [1], data: Float32Array.of(0.5) },
  ],
  tokenizerFiles: { 'tokenizer.json': '{"é":1}', 'tokenizer_config.json': `{"n":${value}}` },
});
const FILES = [
  'config.json',
  'generation_config.json',
  'meanfield.json',
  'model.safetensors',
  'tokenizer.json',
  'tokenizer_config.json',
];

test('what was written is read', async () => {
  await writeModelFolder(folder, content(3));
  expect((await readdir(folder)).sort()).toEqual(FILES);
  const model = await readModelFolder(folder);
  const { config, generationConfig, tokenizerFiles } = content(3);
  expect(model).toMatchObject({ path: folder, config, generationConfig, tokenizerFiles });
  expect([...(await model.weights.readFloat32('transformer.wte.weight'))]).toEqual([3, -3]);
  await model.close();
  const weights = await SafetensorsFile.open(join(folder, 'model.safetensors'));
  expect(weights.metadata).toEqual({ format: 'pt' });
  await weights.close();
});

test('equal models are equal bytes, whatever was there before', async () => {
  await writeModelFolder(folder, content(1));
  await writeModelFolder(folder, content(2));
  await writeModelFolder(join(parent, 'other/place'), content(2));
  for (const name of FILES) {
    const [a, b] = await Promise.all(
      [folder, join(parent, 'other/place')].map((path) => readFile(join(path, name), 'latin1')),
    );
    expect(a).toBe(b);
  }
  expect((await readdir(parent)).sort()).toEqual(['model', 'other']);
});

test.each(FILES.filter((name) => name !== 'meanfield.json'))(
  'a change in %s is refused by name, its loss too',
  async (name) => {
    await writeModelFolder(folder, content(3));
    const bytes = await readFile(join(folder, name));
    bytes[bytes.length - 2]! ^= 1;
    await writeFile(join(folder, name), bytes);
    const reading = readModelFolder(folder);
    await expect(reading).rejects.toThrow(MeanfieldError);
    await expect(reading).rejects.toThrow(new RegExp(`${name} is damaged: .*delete meanfield\\.json`));
    await rm(join(folder, name));
    await expect(readModelFolder(folder)).rejects.toThrow(new RegExp(`${name} is missing`));
  },
);

test.each([
  ['cut', '{"sha256":', /meanfield\.json is damaged/],
  ['without hashes', '{}', /meanfield\.json is damaged: expected the hashes/],
  ['without the hash of the weights', '{"sha256":{"config.json":""}}', /meanfield\.json is damaged/],
  [
    'naming a file elsewhere',
    '{"sha256":{"../x":"","config.json":"","model.safetensors":""}}',
    /names \.\.\/x, a file elsewhere/,
  ],
])('hashes %s are refused', async (_, text, reason) => {
  await writeModelFolder(folder, content(3));
  await writeFile(join(folder, 'meanfield.json'), text);
  await expect(readModelFolder(folder)).rejects.toThrow(reason);
});

test('what Python takes as a float alone is written as one', async () => {
  const config = {
    model_type: 'gemma2',
    attn_logit_softcapping: 50,
    n: 30,
    final_logit_softcapping: 30,
    initializer_cutoff_factor: 2,
  };
  await writeModelFolder(folder, { ...content(3), config });
  const text = await readFile(join(folder, 'config.json'), 'utf8');
  expect(text).toMatch(
    /"attn_logit_softcapping": 50\.0,\n\s*"n": 30,\n\s*"final_logit_softcapping": 30\.0,\n\s*"initializer_cutoff_factor": 2\.0\n/,
  );
  expect(JSON.parse(text)).toEqual(config);
});

describe('a folder of Hugging Face', () => {
  const fixture = new URL('../../test/fixtures/models/gpt2', import.meta.url).pathname;

  test('has no hashes and is read as it is', async () => {
    const model = await readModelFolder(fixture);
    expect(model.config.model_type).toBe('gpt2');
    expect(model.tokenizerFiles).toEqual({});
    expect(model.weights.tensors.size).toBeGreaterThan(10);
    await model.close();
  });

  test.each([
    ['config.json', '[]', /config\.json is damaged: expected a JSON object/],
    ['config.json', '{"n_layer"', /config\.json is damaged: expected JSON/],
    ['model.safetensors', 'xxxxxxxxxxxx', /not a sound safetensors file/],
  ])('with a damaged %s is refused', async (name, text, reason) => {
    await cp(fixture, folder, { recursive: true });
    await writeFile(join(folder, name), text);
    await expect(readModelFolder(folder)).rejects.toThrow(reason);
  });

  test('with its weights as pytorch_model.bin is refused with advice', async () => {
    await mkdir(folder);
    await writeFile(join(folder, 'config.json'), '{}');
    await expect(readModelFolder(folder)).rejects.toThrow(/has no model\.safetensors/);
    await writeFile(join(folder, 'pytorch_model.bin'), '');
    await expect(readModelFolder(folder)).rejects.toThrow(/weights as pytorch_model.bin.*save_pretrained/);
  });
});

test('no folder is an error; one whose writer was killed between two renames is read', async () => {
  await expect(readModelFolder(folder)).rejects.toThrow(/There is no model in .*Has the run evaluated yet/);
  await writeModelFolder(folder, content(3));
  await rename(folder, `${folder}.old`);
  const model = await readModelFolder(folder);
  expect(model.config.n_layer).toBe(3);
  await model.close();
});

test('read while it is replaced again and again, a model is never a mixture', async () => {
  await writeModelFolder(folder, content(0));
  let writing = true;
  const writer = (async () => {
    for (let value = 1; value <= 40; value++) await writeModelFolder(folder, content(value));
    writing = false;
  })();
  let reads = 0;
  for (; writing; reads++) {
    const model = await readModelFolder(folder);
    const value = model.config.n_layer as number;
    expect(JSON.parse(model.tokenizerFiles['tokenizer_config.json']!)).toEqual({ n: value });
    expect((await model.weights.readFloat32('transformer.wte.weight'))[0]).toBe(value);
    await model.close();
  }
  await writer;
  expect(reads).toBeGreaterThan(0);
});

test('a reader wins where reading takes longer than until the next replacement', async () => {
  const data = new Float32Array(2 ** 22);
  const versions = [1, 2].map((value) => join(parent, `version-${value}`));
  for (const [i, path] of versions.entries()) {
    const tensors = [{ name: 'transformer.wte.weight', shape: [data.length], data }];
    await writeModelFolder(path, { ...content(i + 1), tensors });
  }
  await rename(versions[0]!, folder);
  let reading = true;
  const writer = (async () => {
    for (let turn = 1; reading; turn++) {
      await rename(folder, `${folder}.old`);
      await rename(versions[turn % 2]!, folder);
      await rename(`${folder}.old`, versions[(turn + 1) % 2]!);
      await sleep(5);
    }
  })();
  try {
    for (let reads = 0; reads < 5; reads++) {
      const model = await readModelFolder(folder);
      expect(JSON.parse(model.tokenizerFiles['tokenizer_config.json']!)).toEqual({ n: model.config.n_layer });
      await model.close();
    }
  } finally {
    reading = false;
    await writer;
  }
});

test.each(['a/b', '../x', 'config.json', 'model.safetensors', 'meanfield.json'])(
  '%s is no name for a tokenizer file',
  async (name) => {
    await expect(writeModelFolder(folder, { ...content(1), tokenizerFiles: { [name]: '' } })).rejects.toThrow(
      /cannot be the name/,
    );
  },
);
