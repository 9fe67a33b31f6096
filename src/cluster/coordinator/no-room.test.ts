import { afterEach, expect, it } from 'vitest';
import { event, TestCluster } from '../cluster.test-support.js';

let cluster: TestCluster | undefined;
afterEach(() => cluster?.remove());

it('refuses a worker for whose part there is no room, and goes on; when one has left, another has its room', async () => {
  cluster = await TestCluster.create({ steps: 1e6 });
  const { events, run } = cluster.coordinator();
  await event(events, 'leading');
  const first = cluster.worker({ host: 'first' });
  await event(first.events, 'contributed');
  const quota = cluster.network.quotas.get('first-1')!;
  cluster.network.capacity = 1.5 * quota;
  const second = cluster.worker({ host: 'second' });
  await expect(second.run.result).rejects.toThrow(`second-2 was refused: There is no room for ${quota} bytes.`);
  expect(await event(events, 'refused')).toMatchObject({ worker: 'second-2', about: 'join', code: 'no-room' });
  const rounds = () => events.filter(({ type }) => type === 'round').length;
  const before = rounds();
  await expect.poll(rounds).toBeGreaterThan(before + 1);
  first.run.leave();
  await first.run.result;
  await expect.poll(() => cluster!.network.quotas.get('first-1')).toBe(0);
  const third = cluster.worker({ host: 'third' });
  await event(third.events, 'contributed');
  run.stop();
  await run.result;
}, 60_000);
