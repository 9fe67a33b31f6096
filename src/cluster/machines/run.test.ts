import { afterEach, expect, it } from 'vitest';
import { TestCluster } from './machines.test-support.js';

let cluster: TestCluster | undefined;
afterEach(async () => {
  await cluster?.remove();
  cluster = undefined;
});

it('trains one model on two machines: equal hashes, a loss that falls', async () => {
  cluster = await TestCluster.create();
  const coordinator = cluster.coordinator();
  const workers = [cluster.worker(), cluster.worker()];
  const result = await coordinator.run.result;
  console.log(result, coordinator.events.filter((e) => e.type !== 'preparing').slice(0, 40));
  for (const worker of workers) console.log(await worker.run.result, worker.events);
  expect(result.step).toBe(20);
});
