import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { loadModel } from '../hub/load-model.js';
import type { TrainOptions } from '../run/options.js';
import { TestCluster } from './cluster.test-support.js';

const clusters: TestCluster[] = [];
afterEach(async () => {
  for (const one of clusters.splice(0)) await one.remove();
});

async function create(train: Partial<TrainOptions>): Promise<TestCluster> {
  const cluster = await TestCluster.create(train);
  clusters.push(cluster);
  return cluster;
}

/** What the model decides, and the test's own options say otherwise. */
const DECIDED = { model: undefined, tokenizer: undefined, layers: undefined, width: undefined, heads: undefined };

async function finish(cluster: TestCluster): Promise<void> {
  const coordinator = cluster.coordinator();
  const worker = cluster.worker();
  await coordinator.run.result;
  expect((await worker.run.result).ended).toBe('finished');
}

it('machines go on with a model that exists, in shorter windows', async () => {
  const base = await create({});
  await finish(base);
  const options = { ...DECIDED, from: base.folder, context: 4, lr: 1e-12, minLr: 0 };
  const tuned = await create(options as Partial<TrainOptions>);
  await finish(tuned);
  const [before, after] = [await loadModel(base.folder), await loadModel(tuned.folder)];
  const most = after.parameters.reduce((max, value, i) => Math.max(max, Math.abs(value - before.parameters[i]!)), 0);
  expect(most).toBeLessThan(1e-9);
  expect(after.model.dimensions.context).toBe(8);
  const { chosen } = JSON.parse(await readFile(join(tuned.folder, 'run.json'), 'utf8'));
  expect(chosen.from).toMatchObject({ model: base.folder });
  expect((await readdir(join(tuned.folder, 'from'))).sort()).toEqual([
    'generation_config.json',
    'tokenizer.json',
    'tokenizer_config.json',
  ]);
  await rm(join(base.folder, 'model'), { recursive: true });
});
