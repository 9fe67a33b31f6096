import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MeanfieldError, UsageError } from '../base/errors.js';
import { findModelFolder } from './find-model.js';
import { loadModel } from './load-model.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'find-'));
});
afterEach(() => rm(folder, { recursive: true }));

const put = async (name: string, text = '') => {
  await mkdir(dirname(join(folder, name)), { recursive: true });
  await writeFile(join(folder, name), text);
};

test('a model is found in its folder, in its run, and beside either while it is replaced', async () => {
  await put('run/model/config.json', '{}');
  expect(await findModelFolder(join(folder, 'run/model'))).toBe(join(folder, 'run/model'));
  expect(await findModelFolder(join(folder, 'run'))).toBe(join(folder, 'run/model'));
  await put('other/model.old/config.json', '{}');
  expect(await findModelFolder(join(folder, 'other'))).toBe(join(folder, 'other/model'));
  expect(await findModelFolder(join(folder, 'other/model'))).toBe(join(folder, 'other/model'));
});

const POINTER = 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 548105171\n';
const CONFIG = '{"model_type":"gpt2","n_layer":1,"n_embd":4,"n_head":2,"n_positions":8,"vocab_size":3}';

test.each<[what: string, files: Record<string, string>, name: string, message: RegExp]>([
  ['no folder', {}, 'none', /There is no model in .*none: there is no such folder\. Name a run's folder/],
  ['an empty folder', { 'x/y': '' }, 'x/z', /no such folder/],
  ['a name of 300 characters', {}, 'n'.repeat(300), /the name is too long: a part of it has 300 bytes/],
  ['a path of many', {}, `${'n'.repeat(200)}/`.repeat(30), /…n+\/: (the name is too long|there is no such folder)/],
  ['a zero byte', {}, 'a\0b', /its name holds a zero byte/],
  ['a file', { 'config.json': CONFIG }, 'config.json', /is a file, and a model is named by its folder/],
  ['a GGUF that was cut', { 'm.gguf': 'GGUF\x03' }, 'm.gguf', /is not a sound GGUF file: it ends within/],
  [
    'a run that has not evaluated',
    { 'r/run.json': '{}' },
    'r',
    /There is no model in .*r yet: the run has not evaluated/,
  ],
  [
    "Hugging Face's cache",
    { 'models--a--b/snapshots/1/config.json': '' },
    'models--a--b',
    /name the one with config\.json in/,
  ],
  ['weights alone', { 'w/pytorch_model.bin': '' }, 'w', /pickled by PyTorch.*It lacks config\.json, too/],
  ['another folder', { 'w/a.txt': '' }, 'w', /it has no config\.json, but a\.txt\./],
  [
    'a pointer for weights',
    { 'm/config.json': CONFIG, 'm/model.safetensors': POINTER },
    'm',
    /model\.safetensors is no safetensors file but a Git LFS pointer.*git lfs pull/,
  ],
  ['a pointer for a configuration', { 'm/config.json': POINTER }, 'm', /config\.json is a Git LFS pointer/],
  [
    'a pointer for a tokenizer',
    { 'm/config.json': CONFIG, 'm/tokenizer.json': POINTER },
    'm',
    /tokenizer\.json is a Git LFS pointer/,
  ],
  [
    'a web page',
    { 'm/config.json': CONFIG, 'm/model.safetensors': '<!DOCTYPE html>' },
    'm',
    /but a web page: the download went wrong/,
  ],
  [
    'renamed pickles',
    { 'm/config.json': CONFIG, 'm/model.safetensors': 'PK\x03\x04......' },
    'm',
    /but a ZIP archive, which is how PyTorch/,
  ],
  ['no weights', { 'm/config.json': CONFIG }, 'm', /has no model\.safetensors/],
  [
    'shards',
    { 'm/config.json': CONFIG, 'm/model-00001-of-00002.safetensors': '' },
    'm',
    /a shard, without the model\.safetensors\.index\.json.*Take all files/,
  ],
  [
    'an index of shards',
    { 'm/config.json': CONFIG, 'm/model.safetensors.index.json': '{}' },
    'm',
    /is damaged: expected weight_map/,
  ],
  [
    'pickled shards',
    { 'm/config.json': CONFIG, 'm/pytorch_model-00001-of-00003.bin': '', 'm/pytorch_model.bin.index.json': '{}' },
    'm',
    /as pytorch_model-00001-of-00003\.bin and 1 more: pickled by PyTorch.*unpickling runs code/,
  ],
  [
    'an adapter',
    { 'm/config.json': CONFIG, 'm/adapter_model.safetensors': '' },
    'm',
    /an adapter alone\..*merge_and_unload/,
  ],
  [
    'a folder for weights',
    { 'm/config.json': CONFIG, 'm/model.safetensors/x': '' },
    'm',
    /model\.safetensors: it is a folder, not a file/,
  ],
  ['a folder for a configuration', { 'm/config.json/x': '' }, 'm', /config\.json: it is a folder, not a file/],
  [
    'a folder for a tokenizer',
    { 'm/config.json': CONFIG, 'm/tokenizer.json/x': '' },
    'm',
    /tokenizer\.json: it is a folder/,
  ],
  [
    'a file for a folder',
    { 'r/run.json': '{}', 'r/model': '' },
    'r',
    /config\.json: a part of the path is a file, not a folder/,
  ],
])('%s is named as what it is', async (_, files, name, message) => {
  for (const [path, text] of Object.entries(files)) await put(path, text);
  const error: unknown = await loadModel(join(folder, name)).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(MeanfieldError);
  expect((error as Error).message).toMatch(message);
});

test('a link without a target is told, with the target', async () => {
  await put('m/config.json', CONFIG);
  await symlink('../../blobs/4d7a', join(folder, 'm/model.safetensors'));
  await expect(loadModel(join(folder, 'm'))).rejects.toThrow(
    /model\.safetensors: it is a link to \.\.\/\.\.\/blobs\/4d7a, which is missing/,
  );
});

test('a name of the hub is told how to download; what is no name is wrong usage', async () => {
  await expect(loadModel('openai-community/gpt2-none')).rejects.toThrow(
    /meanfield pull openai-community\/gpt2-none brings it there/,
  );
  for (const path of [undefined, 7, null]) {
    await expect(loadModel(path as unknown as string)).rejects.toThrow(UsageError);
  }
  await expect(loadModel('')).rejects.toThrow('the name is empty');
});
