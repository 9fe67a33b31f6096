import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { SafetensorsFile } from '../src/base/files/safetensors.js';
import type { TrainOptions } from '../src/run/options.js';
import { Trainer } from './trainer.js';

vi.setConfig({ testTimeout: 120_000 });

let trainer: Trainer;
beforeAll(async () => {
  trainer = await Trainer.create();
});
afterAll(() => trainer.remove());

const run = async (name: string, changes: Partial<TrainOptions>) => {
  const outcome = await trainer.train(name, {
    model: 'gpt2',
    steps: 40,
    evalEvery: 20,
    lr: 1e-2,
    warmup: 2,
    ...changes,
  });
  expect(outcome.error).toBeUndefined();
  return outcome.result!.valLoss;
};
const rates = { layerLrDecay: 0.5, lrScale: ['ln_f.*=2', 'wpe.*=0.1'] };
const chosenOf = async (name: string) =>
  JSON.parse(await readFile(join(trainer.path(name), 'run.json'), 'utf8')).chosen;

async function modelOf(name: string) {
  const file = await SafetensorsFile.open(join(trainer.path(name), 'model/model.safetensors'));
  const all: Record<string, Float32Array> = {};
  for (const tensor of file.tensors.keys()) all[tensor] = await file.readFloat32(tensor);
  await file.close();
  return all;
}

it('a run whose factors are all 1 is the one without, to the bit', async () => {
  const plain = await run('plain', { seed: 3 });
  expect(await run('ones', { seed: 3, layerLrDecay: 1, lrScale: ['*=1'] })).toBe(plain);
  expect(await modelOf('ones')).toEqual(await modelOf('plain'));
  expect((await chosenOf('ones')).optimizer).toEqual((await chosenOf('plain')).optimizer);
});

it('rates of layers are told in run.json, and the run is resumed to the bit, with replicas as well', async () => {
  for (const replicas of [1, 2]) {
    const whole = await run(`whole-${replicas}`, { ...rates, replicas });
    expect(whole).not.toBe(await run(`even-${replicas}`, { replicas }));
    const { optimizer, parameters } = await chosenOf(`whole-${replicas}`);
    const sum = (optimizer.rateRanges as { elements: number }[]).reduce((all, { elements }) => all + elements, 0);
    expect(sum).toBe(parameters);
    expect([...new Set((optimizer.rateRanges as { factor: number }[]).map(({ factor }) => factor))].sort()).toEqual(
      [0.025, 0.25, 0.5, 1, 2].sort(),
    );
    await run(`parts-${replicas}`, { ...rates, replicas, untilLoss: 100 });
    const resumed = await run(`parts-${replicas}`, { ...rates, replicas, untilLoss: 1e-9, resume: true });
    expect(resumed).toBe(whole);
    expect(await modelOf(`parts-${replicas}`)).toEqual(await modelOf(`whole-${replicas}`));
  }
});

it('resuming with other rates is refused', async () => {
  const { error } = await trainer.train('whole-1', {
    model: 'gpt2',
    steps: 40,
    ...rates,
    layerLrDecay: 0.9,
    resume: true,
  });
  expect(error).toMatch(/layerLrDecay/);
});

it('what is slow moves less: a fast adapter beside a model, by name', async () => {
  const other = trainer.path('other.txt');
  const text = await readFile(new URL('../examples/tinyshakespeare.txt', import.meta.url), 'utf8');
  await writeFile(other, text.slice(-20_000));
  const base = {
    ...{
      model: undefined,
      tokenizer: undefined,
      layers: undefined,
      width: undefined,
      heads: undefined,
      context: undefined,
    },
  };
  await run('base', { tokenizer: 'bytes' });
  const tuned = { ...base, from: trainer.path('base'), corpus: [other], adapter: 'lora', rank: 2, lr: 1e-3 } as const;
  const matrices = async (name: string) => {
    const file = await SafetensorsFile.open(join(trainer.path(name), 'model/adapter_model.safetensors'));
    const size = async (block: number) => {
      let sum = 0;
      for (const tensor of file.tensors.keys())
        if (tensor.includes(`h.${block}.`) && tensor.includes('lora_B'))
          for (const value of await file.readFloat32(tensor)) sum += value ** 2;
      return Math.sqrt(sum);
    };
    const sizes = [await size(0), await size(1)] as const;
    await file.close();
    return sizes;
  };
  await run('even', { ...tuned } as Partial<TrainOptions>);
  await run('layered', { ...tuned, layerLrDecay: 0.1, lrScale: ['lora_B.*=4'] } as Partial<TrainOptions>);
  const [even, layered] = [await matrices('even'), await matrices('layered')];
  expect(layered[1] / even[1]).toBeGreaterThan(2);
  expect(layered[0] / even[0]).toBeLessThan(0.7);
});

it.each([
  [{ lrScale: ['wte.*'] }, /`lrScale: 'wte\.\*'`: expected PATTERN=FACTOR/],
  [{ lrScale: ['q_proj.*=2'] }, /`lrScale: 'q_proj\.\*=2'` fits nothing that is trained/],
  [{ lrScale: ['wte.*=2'], freeze: ['wte.*'] }, /`lrScale: 'wte\.\*=2'` fits nothing that is trained/],
  [{ layerLrDecay: 0 }, /`layerLrDecay`.*expected number to be >0, got 0/],
  [{ layerLrDecay: 1.5 }, /`layerLrDecay`.*expected number to be <=1, got 1\.5/],
] as [Partial<TrainOptions>, RegExp][])('refuses %j', async (changes, message) => {
  const { error } = await trainer.train('none', { model: 'gpt2', ...changes });
  expect(error).toMatch(message);
  await expect(stat(trainer.path('none'))).rejects.toThrow('ENOENT');
});
