import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { probeInt8 } from '../engine/int8-probe.js';
import { NodeEngine } from '../engine/node/engine.js';
import { TestCluster } from './cluster.test-support.js';

const clusters: TestCluster[] = [];
afterEach(async () => {
  for (const one of clusters.splice(0)) await one.remove();
});

it('a run in 8 bits goes on machines that have them and on others alike, which say so', async () => {
  const cluster = await TestCluster.create({ precision: 'int8' });
  clusters.push(cluster);
  const coordinator = cluster.coordinator();
  const workers = [cluster.worker(), cluster.worker()];
  const { valLoss } = await coordinator.run.result;
  expect(valLoss).toBeGreaterThan(0);
  const { exact } = await probeInt8(new NodeEngine());
  for (const { run, events } of workers) {
    expect((await run.result).ended).toBe('finished');
    const told = events.some((event) => event.type === 'notice' && event.message.includes('fp32 instead of int8'));
    if (!exact) expect(told).toBe(true);
  }
  expect(JSON.parse(await readFile(join(cluster.folder, 'run.json'), 'utf8')).options.precision).toBe('int8');
});
