import { cp, mkdtemp, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { exists } from '../base/files/exists.js';
import { SafetensorsFile } from '../base/files/safetensors.js';
import { encodeSafetensors, type RoundedDtype } from '../base/safetensors-writer.js';
import { loadModel } from '../hub/load-model.js';
import type { TrainOptions } from '../run/options.js';
import { startTraining } from './train.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const source = new URL('../../examples/tinyshakespeare.txt', import.meta.url);
let folder: string;
const at = (name: string) => join(folder, name);

const SHORT = { steps: 10, evalEvery: 10, batchSize: 4, threads: 1, replicas: 1 } as const;
const train = (options: Partial<TrainOptions>) => startTraining({ ...SHORT, ...options } as TrainOptions).result;
const adapt = (run: string, base: string, options: Partial<TrainOptions> = {}) =>
  train({ corpus: [at('other.txt')], from: at(base), run: at(run), adapter: 'lora', rank: 4, lr: 1e-2, ...options });

/** Writes a model's weights once more, rounded, in two files with an index. */
async function shard(model: string, rounded?: RoundedDtype) {
  const whole = await SafetensorsFile.open(join(model, 'model.safetensors'));
  const map: Record<string, string> = {};
  const parts: { name: string; shape: readonly number[]; data: Float32Array; rounded?: RoundedDtype | undefined }[][] =
    [[], []];
  for (const [i, { name, shape }] of [...whole.tensors.values()].entries()) {
    map[name] = `model-0000${(i % 2) + 1}-of-00002.safetensors`;
    parts[i % 2]!.push({ name, shape, data: await whole.readFloat32(name), rounded });
  }
  await whole.close();
  for (const [i, tensors] of parts.entries())
    await writeFile(
      join(model, `model-0000${i + 1}-of-00002.safetensors`),
      Buffer.concat([...encodeSafetensors(tensors)]),
    );
  await writeFile(join(model, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: map }));
  await rm(join(model, 'model.safetensors'));
  await rm(join(model, 'meanfield.json'), { force: true });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-streamed-'));
  const book = await readFile(source, 'utf8');
  await writeFile(at('book.txt'), book.slice(0, 8000));
  await writeFile(at('other.txt'), book.slice(20_000, 24_000));
  const tiny = {
    layers: 2,
    width: 32,
    heads: 2,
    context: 16,
    tokenizer: 'bpe',
    vocab: 300,
    corpus: [at('book.txt')],
  } as const;
  await train({ ...tiny, model: 'gpt2', run: at('gpt2') });
  await train({ ...tiny, model: 'llama', run: at('llama') });
  await shard(at('llama/model'), 'BF16');
  await train({ ...tiny, model: 'qwen3', run: at('half') });
  await shard(at('half/model'), 'F16');
});
afterAll(() => rm(folder, { recursive: true }));

async function distance(one: string, other: string, name = 'adapter_model.safetensors'): Promise<number> {
  const files = await Promise.all([one, other].map((run) => SafetensorsFile.open(at(`${run}/model/${name}`))));
  let [difference, length] = [0, 0];
  expect([...files[0]!.tensors.keys()]).toEqual([...files[1]!.tensors.keys()]);
  for (const name of files[0]!.tensors.keys()) {
    const [a, b] = await Promise.all(files.map((file) => file.readFloat32(name)));
    for (const [i, value] of a!.entries()) {
      difference += (b![i]! - value) ** 2;
      length += value ** 2;
    }
  }
  for (const file of files) await file.close();
  return Math.sqrt(difference / length);
}

describe('a model on disk that begins with the files of another', () => {
  const tune = (run: string, base: string, options: Partial<TrainOptions> = {}) =>
    train({ corpus: [at('other.txt')], from: at(base), run: at(run), lr: 1e-3, ...options });

  it.each([
    ['gpt2', 'moments'],
    ['llama', 'all'],
    ['half', 'all'],
  ] as const)('ends where one ends whose parameters are all in memory: %s, %s', async (base, offload) => {
    const whole = await tune(`${base} tuned`, base);
    const streamed = await tune(`${base} tuned on disk`, base, { offload });
    expect(Math.abs(streamed.valLoss / whole.valLoss - 1)).toBeLessThan(1e-5);
    expect(Math.abs(streamed.trainLoss! / whole.trainLoss! - 1)).toBeLessThan(1e-5);
    expect(await distance(`${base} tuned`, `${base} tuned on disk`, 'model.safetensors')).toBeLessThan(1e-4);
    const { chosen } = JSON.parse(await readFile(at(`${base} tuned on disk/run.json`), 'utf8'));
    // None of it was in memory as a whole.
    expect(chosen.from).toMatchObject({ streamed: true });
  });

  it('needs them no more once it has begun, and is resumed to the bit', async () => {
    const options = { offload: 'all', steps: 20, warmup: 2, gradAccum: 2 } as const;
    await tune('tuned undisturbed', 'llama', options);
    await cp(at('llama'), at('leaving'), { recursive: true });
    await tune('tuned stopped', 'leaving', { ...options, untilLoss: 100 });
    await rm(at('leaving'), { recursive: true });
    await startTraining({ run: at('tuned stopped'), resume: true, untilLoss: 1e-9 }).result;
    const weights = (run: string) => readFile(at(`${run}/model/model.safetensors`));
    expect((await weights('tuned stopped')).equals(await weights('tuned undisturbed'))).toBe(true);
  });

  it('has its parameters in memory once where tokens are added to them', async () => {
    await tune('grown', 'gpt2', { offload: 'moments', addTokens: ['<|user|>'] });
    const { chosen } = JSON.parse(await readFile(at('grown/run.json'), 'utf8'));
    expect(chosen.from.streamed).toBeUndefined();
  });
});

describe('an adapter whose base is read from its files', () => {
  it.each(['gpt2', 'llama', 'half'])('ends where one beside the whole model ends: %s', async (base) => {
    const whole = await adapt(`${base} whole`, base);
    const streamed = await adapt(`${base} streamed`, base, { offload: 'all' });
    expect(Math.abs(streamed.valLoss / whole.valLoss - 1)).toBeLessThan(1e-5);
    expect(Math.abs(streamed.trainLoss! / whole.trainLoss! - 1)).toBeLessThan(1e-5);
    expect(await distance(`${base} whole`, `${base} streamed`)).toBeLessThan(1e-4);
    // No copy of the base, and a folder that loads as that of any adapter.
    expect(await exists(at(`${base} streamed/frozen.safetensors`))).toBe(false);
    expect(await exists(at(`${base} streamed/offload`))).toBe(false);
  });

  it('is resumed to the bit', async () => {
    const options = { offload: 'all', steps: 20, warmup: 2, gradAccum: 2 } as const;
    await adapt('undisturbed', 'llama', options);
    await adapt('stopped', 'llama', { ...options, untilLoss: 100 });
    await startTraining({ run: at('stopped'), resume: true, untilLoss: 1e-9 }).result;
    const adapter = (run: string) => readFile(at(`${run}/model/adapter_model.safetensors`));
    expect((await adapter('stopped')).equals(await adapter('undisturbed'))).toBe(true);
  });

  it('notices a base that has changed, is shorter, or is gone', async () => {
    await adapt('changed', 'half', { offload: 'all', steps: 20, untilLoss: 100 });
    const file = at('half/model/model-00002-of-00002.safetensors');
    const resumed = () => startTraining({ run: at('changed'), resume: true, untilLoss: 1e-9 }).result;
    const { mtime, atime, size } = await stat(file);
    await utimes(file, atime, new Date(mtime.getTime() + 5000));
    await expect(resumed()).rejects.toThrow('is no longer the model that the run was started from');
    const bytes = await readFile(file);
    await truncate(file, size - 10);
    await expect(resumed()).rejects.toThrow(file);
    await rm(file);
    await expect(resumed()).rejects.toThrow('model-00002-of-00002.safetensors is missing');
    await writeFile(file, bytes);
  });

  it.each([
    [{ offload: 'moments' }, 'all of the base is on disk'],
    [{ baseDtype: 'int8' }, 'the base is read as its files have it'],
    [{ targets: ['embed_tokens', 'q_proj'] }, 'cannot be trained layer by layer'],
    [{ addTokens: ['<new>'] }, 'the base is not in memory'],
    [{ modulesToSave: ['lm_head'] }, 'the base is not in memory'],
  ] as const)('refuses what it does not do: %j', async (more, reason) => {
    const run = `refused ${Object.keys(more)[0]}`;
    await expect(adapt(run, 'llama', { offload: 'all', ...(more as object) })).rejects.toThrow(reason);
  });

  it('refuses an adapter for a base', async () => {
    await adapt('first', 'gpt2');
    await expect(adapt('second', 'first', { offload: 'all' })).rejects.toThrow(
      'can only be joined with its base in memory',
    );
  });

  it('leaves a model that loads', async () => {
    await adapt('loads', 'gpt2', { offload: 'all' });
    const { mergeWithEngine } = await import('../run/source.js');
    const [base, joined] = [await loadModel(at('gpt2')), await loadModel(at('loads'), mergeWithEngine)];
    expect(joined.parameters.length).toBe(base.parameters.length);
    expect(joined.parameters.some((value, i) => value !== base.parameters[i])).toBe(true);
  });
});
