import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';
import { measureThisMachine } from './this-machine.js';

it('takes this machine as a cluster of one, at the speed of all its cores', async () => {
  const { cluster, cpu } = await measureThisMachine(async (_, threads) => ({
    speeds: threads.map((count) => ({ threads: count, gflops: 100 * count })),
  }));
  const cores = availableParallelism();
  expect(cluster).toMatchObject({ name: 'this machine', accelerators: 1, host: { cores }, price: null });
  expect(cluster.accelerator.rates.fp32).toBe(100e9 * cores);
  expect(cluster.accelerator.memory).toBeGreaterThan(1e6);
  expect(cpu.memoryBandwidth).toBeGreaterThan(1e8);
});

it('tells why it cannot', async () => {
  await expect(measureThisMachine(async () => ({ error: 'no such library' }))).rejects.toThrow(/no such library/);
});
