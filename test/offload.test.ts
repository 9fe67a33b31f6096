import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SafetensorsFile } from '../src/base/files/safetensors.js';
import { sha256File } from '../src/base/hash.js';
import type { TrainOptions } from '../src/run/options.js';
import { kill } from './child.js';
import { Trainer } from './trainer.js';

// Several runs a test, on machines that may have other work.
vi.setConfig({ testTimeout: 300_000 });

let trainer: Trainer;
beforeAll(async () => {
  trainer = await Trainer.create();
});
afterAll(() => trainer.remove());

const sizes: Partial<TrainOptions> = { replicas: 1, threads: 1, optimizer: 'adamw', clip: 0.3 };

/** All that a run leaves of its model. */
async function remains(run: string) {
  const offload = join(trainer.path(run), 'offload');
  const { file } = JSON.parse(await readFile(join(offload, 'state.json'), 'utf8')) as { file: string };
  return {
    metrics: await trainer.metrics(run),
    best: await sha256File(join(trainer.path(run), 'model/model.safetensors')),
    vectors: await sha256File(join(offload, file)),
  };
}

describe.each([
  ['moments', 'fp32'],
  ['moments', 'int8'],
  ['all', 'fp32'],
  ['all', 'bf16'],
  ['all+states', 'fp32'],
] as const)('with %s on disk and moments in %s', (offload, momentsPrecision) => {
  const long = {
    ...sizes,
    offload,
    momentsPrecision,
    gradAccum: 2,
    steps: 120,
    checkpointEvery: 10,
    evalEvery: 60,
    syncEvery: 5,
  };
  const [whole, killed] = ['whole', 'killed'].map((name) => `${offload} ${momentsPrecision} ${name}`) as [
    string,
    string,
  ];

  it('goes on after kill -9 at random moments, bit for bit as if never stopped', async () => {
    const undisturbed = await trainer.train(whole, long);
    expect(undisturbed.error).toBeUndefined();
    const last = await trainer.trainKilled(killed, long, 250);
    expect(last.error).toBeUndefined();
    expect(await remains(killed)).toEqual(await remains(whole));
  });
});

it('ends where the same run in memory ends, and the same curve comes of the same seed', async () => {
  const run = { ...sizes, steps: 60, evalEvery: 30 };
  await trainer.train('memory', { ...run });
  await trainer.train('disk', { ...run, offload: 'all' });
  await trainer.train('disk again', { ...run, offload: 'moments' });
  const open = async (name: string) => SafetensorsFile.open(join(trainer.path(name), 'model', 'model.safetensors'));
  const [memory, disk] = [await open('memory'), await open('disk')];
  let [difference, length] = [0, 0];
  for (const name of memory.tensors.keys()) {
    const [a, b] = [await memory.readFloat32(name), await disk.readFloat32(name)];
    for (let i = 0; i < a.length; i++) {
      difference += (a[i]! - b[i]!) ** 2;
      length += a[i]! ** 2;
    }
  }
  await memory.close();
  await disk.close();
  expect(Math.sqrt(difference / length)).toBeLessThan(1e-4);
  const model = (name: string) => sha256File(join(trainer.path(name), 'model', 'model.safetensors'));
  expect(await model('disk again')).toBe(await model('disk'));
});

it('starts anew when it was killed before its first checkpoint', async () => {
  const run = { ...sizes, offload: 'all', steps: 40, checkpointEvery: 40, evalEvery: 20 } as const;
  const training = trainer.start('early', run);
  await training.event('evaluation');
  await kill(training.process);
  // As one that was killed while it wrote the best model leaves it.
  await writeFile(join(trainer.path('early'), 'model.safetensors.tmp'), 'half of a model');
  const again = await trainer.train('early', { ...run, resume: true });
  expect(again.events.find(({ type }) => type === 'started')).toMatchObject({ step: 0 });
  await trainer.train('early whole', run);
  expect(await remains('early')).toEqual(await remains('early whole'));
});

it.each([
  [{ optimizer: 'muon' }, 'it has AdamW alone'],
  [{ replicas: 2 }, 'it is of one replica'],
  [{ dropout: 0.1 }, 'it drops nothing'],
  [{ freeze: ['model.norm.*'] }, 'all parameters are trained'],
  [{ objective: 'masked' }, 'cannot be trained layer by layer'],
] as const)('refuses what it does not do: %j', async (more, reason) => {
  const run = `refused ${JSON.stringify(more)}`.replaceAll(/[^a-z0-9 ]/g, '');
  const { error } = await trainer.train(run, { steps: 5, offload: 'all', ...(more as object) });
  expect(error).toContain(reason);
});
