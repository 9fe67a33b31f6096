import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { SafetensorsFile } from '../base/files/safetensors.js';
import { Model } from '../model/model.js';
import type { TrainOptions } from '../run/options.js';
import { initialParameters } from '../run/start-vectors.js';
import { TestCluster } from './cluster.test-support.js';

let cluster: TestCluster | undefined;
afterEach(async () => {
  await cluster?.remove();
  cluster = undefined;
});

/** How far each parameter went at most, after two machines trained. */
async function moved(train: Partial<TrainOptions>): Promise<Record<string, number>> {
  cluster = await TestCluster.create(train, { minWorkers: 2 });
  const coordinator = cluster.coordinator();
  const workers = [cluster.worker(), cluster.worker()];
  await coordinator.run.result;
  for (const worker of workers) expect((await worker.run.result).ended).toBe('finished');
  expect(coordinator.events.filter(({ type }) => type === 'refused')).toEqual([]);
  const folder = join(cluster.folder, 'model');
  const model = Model.fromConfig(JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')));
  const first = model.layout.views(initialParameters(model, 5));
  const file = await SafetensorsFile.open(join(folder, 'model.safetensors'));
  const far: Record<string, number> = {};
  for (const [name, before] of Object.entries(first)) {
    const after = await file.readFloat32(name);
    far[name] = Math.max(...after.map((value, i) => Math.abs(value - before[i]!)));
  }
  await file.close();
  return far;
}

it('machines train the layers at rates of their own, and are believed when these are high', async () => {
  const far = await moved({ lrScale: ['wte.*=0.01', 'ln_f.*=10', 'h.*=10'] });
  expect(far['transformer.wte.weight']!).toBeLessThan(0.01);
  expect(far['transformer.ln_f.weight']!).toBeGreaterThan(0.1);
  expect(far['transformer.h.0.mlp.c_fc.weight']!).toBeGreaterThan(0.1);
});
