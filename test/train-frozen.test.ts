import { copyFile, cp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SafetensorsFile } from '../src/base/files/safetensors.js';
import { sha256File } from '../src/base/hash.js';
import { Model } from '../src/model/model.js';
import { initialParameters } from '../src/run/start-vectors.js';
import { Trainer } from './trainer.js';

vi.setConfig({ testTimeout: 120_000 });

let trainer: Trainer;
beforeAll(async () => {
  trainer = await Trainer.create();
});
afterAll(() => trainer.remove());

const frozen = { model: 'gpt2', freeze: ['*', '!h.1.*,!ln_f.*'], seed: 11, lr: 1e-2 } as const;
const of = (run: string, file: string) => join(trainer.path(run), file);
const json = async (path: string) => JSON.parse(await readFile(path, 'utf8'));

async function tensors(path: string) {
  const file = await SafetensorsFile.open(path);
  const read = async (name: string) => [name, await file.readFloat32(name)] as const;
  const all: Record<string, Float32Array> = {};
  for (const name of file.tensors.keys()) all[name] = (await read(name))[1];
  await file.close();
  return { all, names: Object.keys(all).sort(), metadata: file.metadata };
}

describe('a run whose last block alone is trained', () => {
  beforeAll(async () => {
    const { result, error } = await trainer.train('part', { ...frozen, steps: 200, evalEvery: 100 });
    expect(error).toBeUndefined();
    expect(result!.step).toBe(200);
  }, 120_000);

  it('learns', async () => {
    const losses = await trainer.losses('part');
    const mean = (some: readonly number[]) => some.reduce((sum, loss) => sum + loss, 0) / some.length;
    expect(mean(losses.slice(-20))).toBeLessThan(mean(losses.slice(0, 3)) - 0.3);
  });

  it('leaves the frozen parameters as a run that freezes nothing begins with, and writes all as its model', async () => {
    const model = Model.fromConfig(await json(of('part', 'model/config.json')));
    const begun = model.layout.views(initialParameters(model, frozen.seed));
    const [kept, best] = [
      await tensors(of('part', 'frozen.safetensors')),
      await tensors(of('part', 'model/model.safetensors')),
    ];
    expect(best.names).toEqual(Object.keys(begun).sort());
    const isTrained = (name: string) => /\.(h\.1|ln_f)\./.test(name);
    expect(kept.names).toEqual(best.names.filter((name) => !isTrained(name)));
    for (const name of kept.names) {
      expect(kept.all[name], name).toEqual(begun[name]);
      expect(best.all[name], name).toEqual(begun[name]);
    }
    for (const name of best.names.filter(isTrained)) expect(best.all[name], name).not.toEqual(begun[name]);
  });

  it('has checkpoints of the trained part and its moments alone, which name the frozen one', async () => {
    const sha256 = await sha256File(of('part', 'frozen.safetensors'));
    const { chosen } = await json(of('part', 'run.json'));
    const saved = await tensors(of('part', 'checkpoints/000200/model.safetensors'));
    const kept = await tensors(of('part', 'frozen.safetensors'));
    const elements = (all: Record<string, Float32Array>) =>
      Object.values(all).reduce((sum, one) => sum + one.length, 0);
    expect(chosen.frozen).toEqual({ parameters: elements(kept.all), sha256 });
    expect(saved.metadata.frozen_sha256).toBe(sha256);
    expect(saved.names.filter((name) => kept.names.includes(name))).toEqual([]);
    const trained = chosen.parameters - chosen.frozen.parameters;
    expect(elements(saved.all)).toBe(trained);
    const optimizer = of('part', 'checkpoints/000200/optimizer.safetensors');
    expect(elements((await tensors(optimizer)).all)).toBe(2 * trained);
    expect((await stat(optimizer)).size).toBeLessThan(8 * trained + 1000);
  });

  it('tells how many are frozen, and goes on with the options that it has', async () => {
    const again = await trainer.train('part', { ...frozen, steps: 200, evalEvery: 100, resume: true });
    const { chosen } = await json(of('part', 'run.json'));
    expect(again.events.find(({ type }) => type === 'started')).toMatchObject({ frozen: chosen.frozen.parameters });
    const other = await trainer.train('part', {
      ...frozen,
      freeze: ['wte.*'],
      steps: 200,
      evalEvery: 100,
      resume: true,
    });
    expect(other.error).toMatch(/`freeze` was \["\*","!h\.1\.\*,!ln_f\.\*"\], now \["wte\.\*"\]/);
  });
});

it('makes no folder where a pattern fits nothing', async () => {
  const { error } = await trainer.train('none', { model: 'gpt2', freeze: ['h.2.*'] });
  expect(error).toMatch(/`freeze: 'h\.2\.\*'` fits none of the model's/);
  await expect(stat(trainer.path('none'))).rejects.toThrow('ENOENT');
});

describe('the file of frozen parameters', () => {
  const changes = { ...frozen, steps: 20 };
  const further = { ...changes, steps: 30, resume: true };
  beforeAll(async () => {
    for (const run of ['own', 'other']) await trainer.train(run, { ...changes, ...(run === 'other' && { seed: 12 }) });
    await copyFile(of('own', 'frozen.safetensors'), of('own', 'copy'));
  }, 120_000);

  const faults: [string, RegExp, () => Promise<void>][] = [
    ['is missing', /there is no such file/, () => rm(of('own', 'frozen.safetensors'))],
    [
      'is damaged',
      /its sha256 is [0-9a-f]{12}, expected [0-9a-f]{12}: it is damaged/,
      async () => {
        const bytes = await readFile(of('own', 'copy'));
        bytes[bytes.length - 5]! ^= 1;
        await writeFile(of('own', 'frozen.safetensors'), bytes);
      },
    ],
    [
      'is cut short',
      /it is damaged, or another model's/,
      async () => writeFile(of('own', 'frozen.safetensors'), (await readFile(of('own', 'copy'))).subarray(0, 400)),
    ],
    [
      "is another run's",
      /or another model's/,
      () => copyFile(of('other', 'frozen.safetensors'), of('own', 'frozen.safetensors')),
    ],
  ];

  it.each(faults)('ends the run where it %s, and what is to be done is told', async (_, message, spoil) => {
    await spoil();
    const { error, exitCode } = await trainer.train('own', further);
    expect(error).toMatch(message);
    expect(error).toMatch(/frozen\.safetensors must hold the frozen parameters of the run: .*Restore it from a copy;/);
    expect(exitCode).toBe(1);
    await copyFile(of('own', 'copy'), of('own', 'frozen.safetensors'));
  });

  it('is written anew where the run was killed before it was known', async () => {
    await trainer.train('early', changes);
    const path = of('early', 'run.json');
    const [best, file] = ['model/model.safetensors', 'frozen.safetensors'].map((name) => of('early', name));
    const before = [await sha256File(best!), await sha256File(file!)];
    await writeFile(path, JSON.stringify({ ...(await json(path)), chosen: {} }));
    await writeFile(file!, 'half of it');
    await rm(of('early', 'checkpoints'), { recursive: true });
    const { error } = await trainer.train('early', { ...changes, resume: true });
    expect(error).toBeUndefined();
    expect([await sha256File(best!), await sha256File(file!)]).toEqual(before);
  });

  it("is what a checkpoint was trained beside: another run's checkpoint is refused", async () => {
    await rm(of('own', 'checkpoints'), { recursive: true });
    await cp(of('other', 'checkpoints'), of('own', 'checkpoints'), { recursive: true });
    const { error } = await trainer.train('own', further);
    expect(error).toMatch(
      /The checkpoint .*000020 was trained beside other frozen parameters \([0-9a-f]{12}\) than the/,
    );
  });
});
