import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { RunKey, RunVerifier } from '../../transport/signed.js';
import { event, TestCluster } from '../cluster.test-support.js';
import { downEnvelope } from '../protocol/down.js';
import { decodeMessage } from '../protocol/wire.js';
import { restoreRun } from './restore.js';

let cluster: TestCluster | undefined;
afterEach(async () => {
  await cluster?.remove();
  cluster = undefined;
});

/** The hash of each round that any worker was told is committed; fails when one round has two. */
function watchCommits({ network }: TestCluster): Map<number, string> {
  const commits = new Map<number, string>();
  const verifier = new RunVerifier(network.key.public);
  network.filter = (address, bytes) => {
    if (address.to !== 'down') return true;
    const { message } = decodeMessage(verifier.opened('down', bytes), downEnvelope, 'a message');
    if ('committed' in message) {
      const { round, hash } = message.committed;
      expect(commits.get(round) ?? hash, `round ${round}`).toBe(hash);
      commits.set(round, hash);
    }
    return true;
  };
  return commits;
}

describe('a coordinator that is killed', () => {
  // Among them: a worker lets in, a round opens, contributions come, the merge, the commit.
  const points = [3, 5, 6, 7, 8, 9].map((nth) => ({ nth, when: nth % 2 === 0 ? 'before' : 'after' }) as const);
  it.each(points)('$when its write number $nth is followed by another that carries on', async ({ nth, when }) => {
    cluster = await TestCluster.create({ steps: 20 }, { minWorkers: 2 });
    const commits = watchCommits(cluster);
    const first = cluster.coordinator();
    let writes = 0;
    cluster.network.onSet = (key, at) => {
      if (key !== 'state' || at !== when || ++writes !== nth) return;
      first.client().cut();
    };
    const workers = [cluster.worker(), cluster.worker()];
    await expect(first.run.result).rejects.toThrow('The process was killed');
    const told = Math.max(0, ...commits.keys());
    const second = cluster.coordinator(true);
    const result = await second.run.result;
    expect(result.step).toBeGreaterThanOrEqual(20);
    expect((await event(second.events, 'leading')).round).toBeGreaterThanOrEqual(told);
    for (const worker of workers) expect((await worker.run.result).ended).toBe('finished');
    expect(commits.size).toBeGreaterThanOrEqual(4);
  });
});

it('carries on from its folder when the server has lost everything, as after a power cut', async () => {
  cluster = await TestCluster.create({ steps: 400, checkpointEvery: 15 });
  const first = cluster.coordinator();
  const worker = cluster.worker();
  const { round } = await event(first.events, 'round', ({ round }) => round >= 5);
  await first.kill();
  worker.kill();
  cluster.network.state.clear();
  cluster.network.blobs.clear();
  const second = cluster.coordinator(true);
  const { round: from } = await event(second.events, 'leading');
  expect(from).toBeGreaterThanOrEqual(round);
  cluster.worker();
  await event(second.events, 'round', (one) => one.round > from);
  second.run.stop();
  expect((await second.run.result).interrupted).toBe(true);
});

it('carries on from the message system when its folder has lost the last commits', async () => {
  cluster = await TestCluster.create({ steps: 400 });
  const commits = watchCommits(cluster);
  const first = cluster.coordinator();
  cluster.worker();
  await event(first.events, 'round', ({ round }) => round >= 4);
  await first.kill();
  await rm(join(cluster.folder, 'journal'), { recursive: true });
  const second = cluster.coordinator(true);
  const { round } = await event(second.events, 'leading');
  expect(round).toBeGreaterThanOrEqual(Math.max(...commits.keys()));
  await event(second.events, 'round', (one) => one.round > round);
  second.run.stop();
  await second.run.result;
});

it('stands by while another leads, and takes over when that falls silent', async () => {
  cluster = await TestCluster.create({ steps: 400 });
  const commits = watchCommits(cluster);
  const first = cluster.coordinator();
  cluster.worker();
  await event(first.events, 'round');
  const elsewhere = join(cluster.data.folder, 'elsewhere');
  await restoreRun(cluster.network.connect().transport, elsewhere, cluster.network.key);
  const second = cluster.coordinator(true, elsewhere);
  await event(second.events, 'standby');
  first.client().cut();
  await expect(first.run.result).rejects.toThrow();
  const { round } = await event(second.events, 'leading');
  expect(round).toBeGreaterThanOrEqual(Math.max(...commits.keys()));
  await event(second.events, 'round', (one) => one.round > round + 1);
  second.run.stop();
  expect((await second.run.result).rounds).toBeGreaterThan(round + 1);
});

it('leads again after the message system was away, and its folder serves a later one', async () => {
  cluster = await TestCluster.create({ steps: 5000 });
  watchCommits(cluster);
  const coordinator = cluster.coordinator();
  cluster.worker();
  await event(coordinator.events, 'round', ({ round }) => round >= 3);
  coordinator.client().partitioned = true;
  await event(coordinator.events, 'notice', ({ message }) => message.includes('stands by'));
  coordinator.client().partitioned = false;
  const again = () => coordinator.events.filter(({ type }) => type === 'leading').length > 1;
  while (!again()) await new Promise((resolve) => setTimeout(resolve, 5));
  const before = coordinator.run.status()!.committed.round;
  await event(coordinator.events, 'round', ({ round }) => round > before + 1);
  await coordinator.kill();
  cluster.network.state.clear();
  const second = cluster.coordinator(true);
  expect((await event(second.events, 'leading')).round).toBeGreaterThan(before);
  await event(second.events, 'round', ({ round }) => round > before + 2);
  second.run.stop();
  expect((await second.run.result).interrupted).toBe(true);
});

it('takes no state that its coordinators have not signed, and goes on from its folder', async () => {
  cluster = await TestCluster.create({ steps: 400 });
  const first = cluster.coordinator();
  cluster.worker();
  await event(first.events, 'round', ({ round }) => round >= 2);
  await first.kill();
  const { network } = cluster;
  const { value, revision } = network.state.get('state')!;
  const forged = new TextDecoder().decode(value.subarray(64)).replace('"tokens":', '"tokens":9');
  const bytes = Buffer.concat([value.subarray(0, 64), Buffer.from(forged)]);
  network.state.set('state', { value: bytes, revision });
  const second = cluster.coordinator(true);
  expect((await event(second.events, 'notice')).message).toContain('is not signed by the coordinators');
  const { round } = await event(second.events, 'leading');
  expect(round).toBeGreaterThanOrEqual(2);
  await event(second.events, 'round', (one) => one.round > round);
  second.run.stop();
  expect((await second.run.result).tokens).toBeLessThan(1e6);
});

it('takes no old state that was put back, though its coordinators have signed it', async () => {
  cluster = await TestCluster.create({ steps: 400, checkpointEvery: 15 });
  const { network } = cluster;
  const first = cluster.coordinator();
  const worker = cluster.worker();
  await event(first.events, 'round', ({ round }) => round >= 2);
  const old = network.state.get('state')!.value;
  const { round: later } = await event(first.events, 'round', ({ round }) => round >= 5);
  await first.kill();
  worker.kill();
  network.state.set('state', { value: old, revision: network.state.get('state')!.revision });
  const second = cluster.coordinator(true);
  const { round } = await event(second.events, 'leading');
  expect(round).toBeGreaterThanOrEqual(later);
  second.run.stop();
  await second.run.result;
});

it('knows an old state of the same round by its number, and goes on from what it has stored', async () => {
  cluster = await TestCluster.create({ steps: 5000 }, { minWorkers: 2 });
  const { network } = cluster;
  const coordinator = cluster.coordinator();
  cluster.worker();
  await event(coordinator.events, 'member');
  const old = network.state.get('state')!.value;
  coordinator.run.evict('stranger-9', 'odd');
  while (coordinator.run.status()!.evicted.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  coordinator.client().partitioned = true;
  await event(coordinator.events, 'notice', ({ message }) => message.includes('stands by'));
  network.state.set('state', { value: old, revision: network.state.get('state')!.revision });
  coordinator.client().partitioned = false;
  await event(coordinator.events, 'notice', ({ message }) => message.includes('is an old one'));
  while (coordinator.events.filter(({ type }) => type === 'leading').length < 2)
    await new Promise((resolve) => setTimeout(resolve, 5));
  expect(coordinator.run.status()!.evicted).toEqual(['stranger-9']);
  coordinator.run.stop();
  await coordinator.run.result;
});

it('does not lead where the folder lacks the key by which the run is signed', async () => {
  cluster = await TestCluster.create({ steps: 400 });
  const first = cluster.coordinator();
  cluster.worker();
  await event(first.events, 'round');
  await first.kill();
  cluster.network.key = RunKey.make();
  await expect(cluster.coordinator(true).run.result).rejects.toThrow(/Copy nats\/run-key\.pem/);
});
