import { afterEach, expect, it } from 'vitest';
import { event, modelThreadHere, TestCluster } from '../cluster.test-support.js';

let cluster: TestCluster | undefined;
afterEach(async () => {
  await cluster?.remove();
  cluster = undefined;
});

it('refuses the contribution whose sender told a norm that it has not, and goes on with the others', async () => {
  cluster = await TestCluster.create({ steps: 200 }, { minWorkers: 2, outlierFactor: 2 });
  const coordinator = cluster.coordinator();
  const honest = [cluster.worker(), cluster.worker()];
  // A thousandth of its norm would never be an outlier.
  const thread = modelThreadHere();
  const ask: typeof thread.ask = async (name, input, onStep) => {
    const answer = await thread.ask(name, input, onStep);
    const trained = answer as { readonly norm?: number } | null;
    return name === 'train' && trained ? ({ ...trained, norm: trained.norm! / 1000 } as typeof answer) : answer;
  };
  const liar = cluster.worker({ startThread: () => ({ ...thread, ask }) });
  const { worker, reason } = await event(coordinator.events, 'refused', ({ code }) => code === 'damaged');
  expect(liar.events).toContainEqual(expect.objectContaining({ type: 'joined', workers: [worker] }));
  expect(reason).toMatch(/its shard \d alone has the norm .*, but the norm of the whole was told as 0\.0/);
  const round = await event(coordinator.events, 'round', ({ missed }) => missed.includes(worker));
  const names = honest.flatMap(({ events }) => events.flatMap((one) => (one.type === 'joined' ? one.workers : [])));
  expect(round.workers).toEqual(names.sort());
  await event(liar.events, 'refused', ({ code }) => code === 'damaged');
});
