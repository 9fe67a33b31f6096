import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { sha256File } from '../src/base/hash.js';
import type { TrainOptions } from '../src/run/options.js';
import { Trainer } from './trainer.js';

// Several runs a test, on machines that may have other work.
vi.setConfig({ testTimeout: 300_000 });

let trainer: Trainer;
beforeAll(async () => {
  trainer = await Trainer.create();
});
afterAll(() => trainer.remove());

const sizes: Partial<TrainOptions> = { replicas: 1, threads: 1, optimizer: 'adamw', clip: 0.3 };

it('an adapter beside a base on disk goes on after kill -9 at random moments, bit for bit as if never stopped', async () => {
  await trainer.train('base', { ...sizes, steps: 10, evalEvery: 10 });
  const base = { adapter: 'lora', rank: 4, from: trainer.path('base'), offload: 'all' } as const;
  // What the base has decided.
  const own = { layers: undefined, width: undefined, heads: undefined, tokenizer: undefined };
  const long = { replicas: 1, threads: 1, clip: 0.3, gradAccum: 2, steps: 80, checkpointEvery: 10, evalEvery: 40 };
  const options = { ...base, ...own, ...long } as Partial<TrainOptions>;
  const undisturbed = await trainer.train('whole', options);
  expect(undisturbed.error).toBeUndefined();
  const last = await trainer.trainKilled('killed', options, 250);
  expect(last.error).toBeUndefined();
  const remains = async (run: string) => ({
    metrics: await trainer.metrics(run),
    best: await sha256File(join(trainer.path(run), 'model/adapter_model.safetensors')),
  });
  expect(await remains('killed')).toEqual(await remains('whole'));
});
