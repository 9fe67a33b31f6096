import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { SafetensorsFile } from '../base/files/safetensors.js';
import { load } from '../inference/load.js';
import type { TrainOptions } from '../run/options.js';
import { TestCluster } from './cluster.test-support.js';

const clusters: TestCluster[] = [];
afterEach(async () => {
  for (const one of clusters.splice(0)) await one.remove();
});

async function finished(train: Partial<TrainOptions>) {
  const cluster = await TestCluster.create(train);
  clusters.push(cluster);
  const coordinator = cluster.coordinator();
  const workers = [cluster.worker(), cluster.worker()];
  const { valLoss } = await coordinator.run.result;
  for (const worker of workers) expect((await worker.run.result).ended).toBe('finished');
  return { folder: cluster.folder, valLoss };
}

/** What the model decides, and the test's own options say otherwise. */
const DECIDED = { model: undefined, tokenizer: undefined, layers: undefined, width: undefined, heads: undefined };

it('machines train an adapter together: the model itself is fetched once, and checkpoints hold the adapter', async () => {
  const base = await finished({});
  const settings = { ...DECIDED, from: base.folder, adapter: 'lora', rank: 2, lr: 1e-2 } as Partial<TrainOptions>;
  const tuned = await finished(settings);
  const small = await finished({ ...settings, baseDtype: 'int8' });
  expect(small.valLoss).not.toBe(tuned.valLoss);
  // Which machine gives how many steps to a round is their own affair, and with it the last digits of a loss.
  expect(Math.abs(small.valLoss / tuned.valLoss - 1)).toBeLessThan(0.1);
  const model = await readdir(join(tuned.folder, 'model'));
  expect(model).toContain('adapter_model.safetensors');
  expect(model).not.toContain('model.safetensors');
  const { chosen } = JSON.parse(await readFile(join(tuned.folder, 'run.json'), 'utf8'));
  const [step] = await readdir(join(tuned.folder, 'checkpoints'));
  const file = await SafetensorsFile.open(join(tuned.folder, 'checkpoints', step!, 'model.safetensors'));
  expect([...file.tensors.keys()].every((name) => /\.lora_[AB]\.weight$/.test(name))).toBe(true);
  await file.close();
  expect(chosen.parameters).toBeGreaterThan(chosen.frozen.parameters);
  // The run has what it needs of its base.
  await rm(base.folder, { recursive: true });
  const loaded = await load(tuned.folder, { threads: 1 });
  expect(loaded.parameters).toBe(chosen.frozen.parameters);
  await loaded.close();
});

it('machines train rows of added tokens beside an adapter', async () => {
  const base = await finished({ tokenizer: 'bytes' });
  const tokens = { addTokens: ['<|a|>', '<|b|>'], from: base.folder, adapter: 'lora', rank: 2 } as const;
  const { folder } = await finished({ ...DECIDED, ...tokens, lr: 1e-2 } as Partial<TrainOptions>);
  const settings = JSON.parse(await readFile(join(folder, 'model/adapter_config.json'), 'utf8'));
  expect(settings.trainable_token_indices).toEqual({ wte: [256, 257] });
  const loaded = await load(folder, { threads: 1 });
  expect(loaded.parameters).toBe(JSON.parse(await readFile(join(folder, 'run.json'), 'utf8')).chosen.frozen.parameters);
  await loaded.close();
});
