import { randomBytes } from 'node:crypto';
import { afterEach, expect, it } from 'vitest';
import { MeanfieldError } from '../../base/errors.js';
import { RunVerifier } from '../../transport/signed.js';
import { event, TestCluster } from '../cluster.test-support.js';
import type { RoundEvent } from '../events.js';
import { ASK } from '../protocol/admission.js';
import { downEnvelope } from '../protocol/down.js';
import { type UpMessage, upMessage } from '../protocol/up.js';
import { decodeMessage, encodeMessage, PROTOCOL } from '../protocol/wire.js';

let cluster: TestCluster | undefined;
afterEach(async () => {
  await cluster?.remove();
  cluster = undefined;
});

const rounds = (events: readonly { readonly type: string }[]) =>
  events.filter((one): one is RoundEvent => one.type === 'round');

it('commits the round of a reducer that dies at its work, from what it had contributed', async () => {
  cluster = await TestCluster.create({ steps: 30 }, { minWorkers: 1 });
  const coordinator = cluster.coordinator();
  const workers = [cluster.worker(), cluster.worker()];
  await event(coordinator.events, 'round', (one) => one.workers.length === 2);
  let dead: { readonly worker: string; readonly round: number } | undefined;
  cluster.network.filter = (address, bytes) => {
    if (address.to !== 'down' || dead) return true;
    const opened = new RunVerifier(cluster!.network.key.public).opened('down', bytes);
    const { worker, message } = decodeMessage(opened, downEnvelope, 'a message');
    if (message.type !== 'reduce' || message.contributions.length < 2) return true;
    dead = { worker, round: message.round };
    for (const one of workers)
      if (one.events.some((e) => e.type === 'joined' && e.workers.includes(worker))) one.kill();
    return false;
  };
  const result = await coordinator.run.result;
  expect(result.step).toBeGreaterThanOrEqual(30);
  const during = rounds(coordinator.events).find(({ round }) => round === dead!.round)!;
  expect(during.workers).toContain(dead!.worker);
  expect(during.workers).toHaveLength(2);
  expect(during.refusals).toBe(0);
});

it('leaves out a contribution that was damaged on its way, and names it', async () => {
  cluster = await TestCluster.create(
    { steps: 30 },
    { minWorkers: 2, format: 'int4', merge: 'trimmed', heartbeatTimeout: 2 },
  );
  const { network } = cluster;
  let damaged: Extract<UpMessage, { type: 'contribution' }> | undefined;
  network.filter = (address, bytes) => {
    if (address.to !== 'up' || damaged) return true;
    const message = decodeMessage(bytes, upMessage, 'a message');
    if (message.type !== 'contribution' || message.round < 2) return true;
    damaged = message;
    // Two in a row: who sums its own contribution has it from its cache, so of one alone nobody may ever hear.
    for (const shard of ['1', '2']) network.blobs.get(message.manifest.key.replace('list', shard))![20]! ^= 1;
    return true;
  };
  const coordinator = cluster.coordinator();
  for (let i = 0; i < 3; i++) cluster.worker();
  const refused = await event(coordinator.events, 'refused');
  expect(refused).toMatchObject({ worker: damaged!.worker, about: 'contribution', code: 'damaged' });
  expect(coordinator.run.status()!.refusals[0]!.reason).toMatch(new RegExp(`shard [12] of ${damaged!.worker}`));
  expect((await coordinator.run.result).step).toBeGreaterThanOrEqual(30);
  const during = rounds(coordinator.events).find(({ round }) => round === damaged!.round)!;
  expect(during.missed).toContain(damaged!.worker);
});

it('goes on through garbage on every subject, and says what was wrong with it', async () => {
  cluster = await TestCluster.create({ steps: 30 }, { minWorkers: 2 });
  const { network } = cluster;
  const coordinator = cluster.coordinator();
  const doors = [network.door(), network.door()];
  for (const door of doors) cluster.worker({ door });
  const { worker } = await event(coordinator.events, 'member', ({ change }) => change === 'ready');
  const names = coordinator.run.status()!.workers.map((one) => one.worker);
  const other = network.connect().transport;
  // Fewer than what suspends a worker.
  for (let i = 0; i < 12; i++) {
    for (const name of names) {
      other.control.send({ to: 'up', worker: name }, randomBytes(i * 5));
      other.control.send({ to: 'down', worker: name }, randomBytes(i * 5));
    }
  }
  const as = (name: string, body: object) =>
    other.control.send({ to: 'up', worker: name }, encodeMessage({ run: 'x', worker: name, incarnation: 0, ...body }));
  as(names[0]!, { type: 'leave', reason: 'not of this run' });
  as(names[0]!, { type: 'leave', worker: 'someone-else', reason: 'for another' });
  as(names[0]!, { type: 'report', round: -1, closed: 0, hash: '', gatherSeconds: 0 });
  const request = randomBytes(9);
  const signed = await doors[0]!.ask(ASK.admission, request, 1000);
  const opened = new RunVerifier(network.key.public).opened('join', signed, request);
  const answer = JSON.parse(new TextDecoder().decode(opened));
  expect(answer).toMatchObject({ accepted: false, code: 'malformed' });
  const result = await coordinator.run.result;
  expect(result.step).toBeGreaterThanOrEqual(30);
  const reasons = coordinator.events.flatMap((one) => (one.type === 'refused' ? one.reason : []));
  expect(reasons.some((reason) => reason.includes('bytes that are none'))).toBe(true);
  expect(reasons.some((reason) => reason.includes('may not speak for someone-else'))).toBe(true);
  expect(coordinator.events.some((one) => one.type === 'member' && one.change === 'left')).toBe(false);
  expect(worker).toMatch(/-\d$/);
});

it('throws a worker out for good, and another goes on', async () => {
  cluster = await TestCluster.create({ steps: 5000 }, {});
  const coordinator = cluster.coordinator();
  const bad = cluster.worker({ host: 'Bad Machine!' });
  await event(coordinator.events, 'round');
  const good = cluster.worker({ host: 'good' });
  await event(coordinator.events, 'round', ({ workers }) => workers.length === 2);
  coordinator.run.evict('bad-machine-1', 'it was told to');
  expect((await bad.run.result).ended).toBe('evicted');
  const { round } = rounds(coordinator.events).at(-1)!;
  await event(coordinator.events, 'round', (one) => one.round > round + 1 && one.workers.length === 1);
  expect(coordinator.run.status()).toMatchObject({ evicted: ['bad-machine-1'], workers: [{ worker: 'good-2' }] });
  good.run.leave();
  expect((await good.run.result).ended).toBe('left');
  await event(coordinator.events, 'member', ({ change, worker }) => change === 'left' && worker === 'good-2');
  coordinator.run.stop();
  expect((await coordinator.run.result).interrupted).toBe(true);
});

it('tells a machine of another version, or of too little memory, why it is not taken', async () => {
  cluster = await TestCluster.create();
  const coordinator = cluster.coordinator();
  await event(coordinator.events, 'leading');
  const door = cluster.network.door();
  const ask = async (changes: object) => {
    const request = {
      protocol: PROTOCOL,
      version: '0.1.0',
      key: door.key,
      replicas: 1,
      host: 'm',
      memory: 2e9,
      ...changes,
    };
    const signed = await door.ask(ASK.admission, encodeMessage(request), 1000);
    const opened = new RunVerifier(door.coordinator).opened('join', signed, encodeMessage(request));
    return JSON.parse(new TextDecoder().decode(opened));
  };
  expect(await ask({ version: '0.0.9' })).toMatchObject({ accepted: false, code: 'wrong-version' });
  const little = await ask({ memory: 1e6 });
  expect(little.code).toBe('not-enough-memory');
  expect(little.reason).toMatch(/for vectors \+ .* for activations \+ .* = .* GB, the machine has 0\.00 GB/);
  expect(coordinator.run.status()!.refusals.map(({ code }) => code)).toEqual(['not-enough-memory', 'wrong-version']);
  const stranger = cluster.network.door();
  const refusal = encodeMessage({ accepted: false, code: 'x', reason: 'not today' });
  const { key } = cluster.network;
  stranger.ask = async (_, request) => key.signed('join', refusal, request);
  const worker = cluster.worker({ door: stranger });
  await expect(worker.run.result).rejects.toThrow(MeanfieldError);
  await expect(worker.run.result).rejects.toThrow('not today');
  coordinator.run.stop();
  await coordinator.run.result;
});

it('goes on with its rounds while a crowd asks to be let in, and lets in so many a minute', async () => {
  cluster = await TestCluster.create({ steps: 5000 });
  const coordinator = cluster.coordinator();
  cluster.worker({ host: 'honest' });
  const { round } = await event(coordinator.events, 'round');
  const verifier = new RunVerifier(cluster.network.key.public);
  const crowd = await Promise.all(
    Array.from({ length: 500 }, async (_, i) => {
      const door = cluster!.network.door();
      const request = { protocol: PROTOCOL, version: '0.1.0', key: door.key, replicas: 3, host: `m${i}`, memory: 2e9 };
      const signed = await door.ask(ASK.admission, encodeMessage(request), 10_000);
      const answer = verifier.opened('join', signed, encodeMessage(request));
      return JSON.parse(new TextDecoder().decode(answer)) as { accepted: boolean; code?: string };
    }),
  );
  const busy = crowd.filter(({ code }) => code === 'busy');
  expect([crowd.filter(({ accepted }) => accepted).length, busy.length]).toEqual([89, 411]);
  await event(coordinator.events, 'round', (one) => one.round > round + 5);
  expect(coordinator.events.filter(({ type }) => type === 'refused')).toEqual([]);
  coordinator.run.stop();
  await coordinator.run.result;
});

it('loses nothing over a line that loses, delays and breaks', async () => {
  cluster = await TestCluster.create({ steps: 40 }, { minWorkers: 2, heartbeatTimeout: 0.6 });
  cluster.network.loss = 0.1;
  cluster.network.delay = 15;
  const coordinator = cluster.coordinator();
  cluster.worker();
  cluster.worker();
  cluster.worker();
  await event(coordinator.events, 'round', ({ round }) => round >= 3);
  const names = coordinator.run.status()!.workers.map(({ worker }) => worker);
  cluster.network.partition(names.slice(0, 1), true);
  await event(coordinator.events, 'member', ({ change, worker }) => change === 'evicted' && worker === names[0]);
  cluster.network.partition(names.slice(0, 1), false);
  const result = await coordinator.run.result;
  expect(result.step).toBeGreaterThanOrEqual(40);
});
