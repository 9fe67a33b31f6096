import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MeanfieldError } from '../../base/errors.js';
import type { JsonObject } from '../../base/json.js';
import { writeModelFolder } from '../../hub/model-folder.js';
import { Model } from '../../model/model.js';
import { testOutput } from '../terminal/test-output.js';
import { infoText, showInfo } from './info.js';
import { describeRun } from './run-description.js';

const heads = { num_attention_heads: 2, num_key_value_heads: 1 };
const config = { model_type: 'llama', num_hidden_layers: 2, hidden_size: 8, ...heads, vocab_size: 3 };
const record = {
  format: 'meanfield-run',
  options: { corpus: ['a.txt', 'b.txt'], lr: 0.003 },
  versions: { meanfield: '0.1.0' },
  chosen: { data: { bytes: 100 }, replicas: 2, model: config, parameters: 88 },
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-info-'));
  await mkdir(join(folder, 'run'));
  await writeFile(join(folder, 'run/run.json'), JSON.stringify(record));
});
afterAll(() => rm(folder, { recursive: true }));

const weights = () => [
  { name: 'a', shape: [3, 8], data: new Float32Array(24) },
  { name: 'b', shape: [5], data: new Float32Array(5) },
];

test('a run before its first evaluation tells what was chosen', async () => {
  expect(await describeRun(join(folder, 'run'))).toMatchObject({
    kind: 'run',
    model: { family: 'llama', parameters: 88, sizes: { layers: 2, width: 8, 'kv heads': 1, vocabulary: 3 } },
    progress: { step: 0, best_val_loss: null, checkpoints: [] },
    configuration: record.options,
    data: { bytes: 100 },
    chosen: { replicas: 2 },
    environment: { meanfield: '0.1.0' },
  });
});

test('a run with a model counts its parameters; its best loss is told to a person and to a program', async () => {
  const run = join(folder, 'run');
  await writeModelFolder(join(run, 'model'), { config, tensors: weights(), tokenizerFiles: {} });
  await writeFile(join(run, 'metrics.jsonl'), '{"type":"evaluation","step":50,"val_loss":1.5}\n');
  await mkdir(join(run, 'checkpoints/000050'), { recursive: true });
  const description = await describeRun(run);
  expect(description.model).toMatchObject({ path: join(run, 'model'), parameters: 29 });
  const { notices, ...result } = description;
  // What a run wrote itself is not compared, which would load the models.
  expect(notices).toEqual([]);
  const text = infoText(result);
  expect(text).toMatch(/parameters +29 /);
  expect(text).toMatch(/best val loss +1\.500 at step 50\n/);
  expect(text).toMatch(/checkpoints +50\n/);
  expect(text).toMatch(/corpus +\["a\.txt","b\.txt"\]\n/);
  const output = testOutput(true);
  expect(await showInfo(run, { output, closed: new AbortController().signal })).toBe(0);
  expect(JSON.parse(output.stdout.at(-1)!)).toEqual({ type: 'result', ...result });
});

test('a bare model folder is one', async () => {
  const path = join(folder, 'run/model');
  const description = await describeRun(path);
  expect(description).toMatchObject({ kind: 'model', model: { path, parameters: 29 } });
  expect(infoText(description)).toContain('a Hugging Face model folder');
});

test.each<[string, Record<string, string> | undefined, string]>([
  ['missing', undefined, 'there is no such folder'],
  ['empty', {}, 'the folder is empty'],
  ['damaged', { 'run.json': '{"format":' }, 'run.json'],
  ['odd', { 'config.json': '[]' }, 'expected a JSON object'],
  ['bare', { 'config.json': '{}' }, 'model.safetensors'],
  ['torn', { 'config.json': '{}', 'model.safetensors': '\u0000\u0001' }, 'model.safetensors'],
])('a folder that is %s is refused with the reason', async (name, files, expected) => {
  const path = join(folder, name);
  if (files) await mkdir(path);
  for (const [file, text] of Object.entries<string>(files ?? {})) await writeFile(join(path, file), text);
  const error: unknown = await describeRun(path).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(MeanfieldError);
  expect((error as Error).message).toContain(expected);
});

test('a run.json of another shape is told as far as it goes', async () => {
  const path = join(folder, 'other');
  await mkdir(path);
  await writeFile(join(path, 'run.json'), '{"options":7,"chosen":[]}');
  expect(await describeRun(path)).toMatchObject({ kind: 'run', configuration: {}, data: {} });
});

test('what is left out is told by its default, and what eval would say of the configuration by a notice', async () => {
  const path = join(folder, 'foreign');
  const short = { model_type: 'llama', hidden_size: 8, hidden_act: 'relu' };
  await writeModelFolder(path, { config: short, tensors: weights(), tokenizerFiles: {} });
  const output = testOutput(true);
  expect(await showInfo(path, { output, closed: new AbortController().signal })).toBe(0);
  const [notice, result] = output.stdout.map((line) => JSON.parse(line));
  expect(notice).toEqual({ type: 'notice', message: expect.stringContaining('hidden_act is "relu"') });
  expect(result.model.sizes).toEqual({
    layers: 32,
    width: 8,
    heads: 32,
    'kv heads': 32,
    context: 2048,
    vocabulary: 32_000,
  });
});

test('a configuration that names another family than the weights are of is told, and a bias that nobody reads', async () => {
  const sizes = { layers: 1, width: 8, heads: 2, keyValueHeads: 2, context: 8, vocabulary: 11 };
  const tensorsOf = (model: Model) =>
    model.layout.entries.map(({ name, shape, size }) => ({ name, shape, data: new Float32Array(size) }));
  const described = async (name: string, config: unknown, model: Model) => {
    const path = join(folder, name);
    await writeModelFolder(path, { config: config as JsonObject, tensors: tensorsOf(model), tokenizerFiles: {} });
    return (await describeRun(path)).notices;
  };
  const [gpt2, llama, qwen2] = ['gpt2', 'llama', 'qwen2'].map((family) => Model.create(family, sizes)) as [
    Model,
    Model,
    Model,
  ];
  expect(await described('itself', gpt2.config, gpt2)).toEqual([]);
  expect(await described('renamed', llama.config, gpt2)).toEqual([
    expect.stringMatching(/there is no tensor .* The weights and config\.json do not belong together\.$/s),
  ]);
  expect(await described('biased', llama.config, qwen2)).toEqual([
    expect.stringMatching(/has 3 tensors that a llama model .* does not have: .*this may be another model/s),
  ]);
});
