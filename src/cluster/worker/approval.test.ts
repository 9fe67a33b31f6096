import { afterEach, expect, it } from 'vitest';
import { OrderGiver } from '../../transport/orders.js';
import { event, TestCluster, type TestCoordinator } from '../cluster.test-support.js';
import { ASK } from '../protocol/admission.js';

let cluster: TestCluster | undefined;
afterEach(async () => {
  await cluster?.remove();
  cluster = undefined;
});

/** A run whose invitation asks for a person's approval. */
async function approving(): Promise<{ readonly cluster: TestCluster; readonly first: TestCoordinator }> {
  cluster = await TestCluster.create({ steps: 5000 });
  cluster.network.approve = true;
  const first = cluster.coordinator();
  await event(first.events, 'leading');
  return { cluster, first };
}

function decide({ network }: TestCluster, { run }: TestCoordinator, id: string, decision: string): Promise<unknown> {
  const { transport, key } = network.connect();
  return new OrderGiver(transport.control, key, run.status()!.run).give(ASK.decide, { id, decision }, 1000);
}

it('waits until a person approves it, and through a restart of the coordinator', async () => {
  const { cluster, first } = await approving();
  const worker = cluster.worker({ host: 'box' });
  const { id } = await event(worker.events, 'asking');
  expect(await event(first.events, 'asking')).toMatchObject({ id, host: 'box', address: null, replicas: 1 });
  expect(first.run.status()!.asking).toEqual([
    { id, host: 'box', address: null, replicas: 1, seconds: expect.any(Number) },
  ]);
  expect(first.run.status()!.workers).toEqual([]);
  await first.kill();
  const second = cluster.coordinator(true);
  await event(second.events, 'leading');
  expect(second.run.status()!.asking.map((one) => one.id)).toEqual([id]);
  await event(worker.events, 'waiting', (one) => one.for === `approval as ${id}`);
  expect(await decide(cluster, second, id, 'approved')).toEqual({ host: 'box' });
  await event(worker.events, 'joined');
  await event(second.events, 'round');
  expect(second.run.status()!.asking).toEqual([]);
  expect(worker.events.filter(({ type }) => type === 'asking')).toHaveLength(1);
});

it('ends as one that is not to be started again when a person refuses it', async () => {
  const { cluster, first } = await approving();
  const worker = cluster.worker({ host: 'box' });
  const { id } = await event(worker.events, 'asking');
  await decide(cluster, first, id, 'refused');
  await expect(worker.run.result).rejects.toMatchObject({
    exitCode: 3,
    message: expect.stringMatching(/owner has refused.*Ask its owner/),
  });
  expect(first.run.status()!).toMatchObject({ asking: [], workers: [] });
});

it('gives up in time, says what to do, and leaves when it is told to', async () => {
  const { cluster } = await approving();
  const worker = cluster.worker({ approvalPatience: 0.1 });
  await expect(worker.run.result).rejects.toThrow(
    /Nobody has approved this machine \([0-9a-f]{12}\) within 0\.1 seconds.*cluster approve.*`approvalPatience`/,
  );
  const other = cluster.worker();
  await event(other.events, 'asking');
  other.run.leave();
  await expect(other.run.result).rejects.toMatchObject({ exitCode: 130 });
});
