import { afterEach, expect, it } from 'vitest';
import { event, modelThreadHere, TestCluster } from '../cluster.test-support.js';

let cluster: TestCluster | undefined;
afterEach(async () => {
  await cluster?.remove();
  cluster = undefined;
});

it('finds out who sums falsely, and goes on without it', async () => {
  cluster = await TestCluster.create({ steps: 200 }, { minWorkers: 2 });
  // The first shard of every round is checked.
  const coordinator = cluster.coordinator(false, undefined, () => 0);
  const thread = modelThreadHere();
  const ask: typeof thread.ask = async (name, input, onStep) => {
    const answer = await thread.ask(name, input, onStep);
    // The last bit of one element: no other check sees that.
    if (name === 'reduce') (answer as { merged: Uint8Array }).merged[12]! ^= 1;
    return answer;
  };
  const liar = cluster.worker({ startThread: () => ({ ...thread, ask }) });
  const { workers } = await event(liar.events, 'joined');
  cluster.worker();
  const { worker, reason } = await event(coordinator.events, 'refused', ({ code }) => code === 'wrong-sum');
  expect([worker]).toEqual(workers);
  expect(reason).toBe('its sum of shard 0 is not that of the contributions');
  await event(liar.events, 'refused', ({ code }) => code === 'wrong-sum');
  expect((await liar.run.result).ended).toBe('evicted');
  expect(coordinator.run.status()!.evicted).toEqual(workers);
  const refused = coordinator.events.filter((one) => one.type === 'refused' && one.code === 'wrong-sum');
  expect(refused).toHaveLength(1);
  cluster.worker();
  const last = coordinator.run.status()!.committed.round;
  const round = await event(coordinator.events, 'round', ({ round }) => round > last + 1);
  expect(round.workers).not.toContain(worker);
});
