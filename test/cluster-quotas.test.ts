import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { modelThreadHere } from '../src/cluster/cluster.test-support.js';
import { type CoordinatorEvent, startCoordinator, startWorker, type WorkerEvent } from '../src/cluster/index.js';
import { admissionAnswer } from '../src/cluster/protocol/admission.js';
import { configurationSchema } from '../src/cluster/protocol/configuration.js';
import { decodeMessage, encodeMessage, PROTOCOL } from '../src/cluster/protocol/wire.js';
import { type TestData, testData } from '../src/local/local.test-support.js';
import { QuotaError } from '../src/transport/errors.js';
import { natsThere } from '../src/transport/nats/server.test-support.js';
import { openNatsTransport } from '../src/transport/nats/transport.js';
import { RunVerifier } from '../src/transport/signed.js';
import type { Transport } from '../src/transport/transport.js';
import { openDoor } from '../src/transport/trust/door.js';
import { decodeInvitation } from '../src/transport/trust/invitation.js';
import { startOwnServer } from '../src/transport/trust/own-server.js';

const PART = 100_000;
/** Beyond all that a tiny model's worker may store. */
const MOST_PARTS = 1000;

describe.skipIf(!natsThere)('disk quotas of a run on a real server (skipped without nats-server)', () => {
  let data: TestData;
  let folder: string;
  let run: Awaited<ReturnType<typeof startRun>>;
  const ends: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    data = await testData(8000);
    folder = await mkdtemp(join(tmpdir(), 'meanfield-quotas-'));
    run = await startRun();
  });
  afterEach(() => Promise.all(ends.splice(0).map((end) => end())));
  afterAll(async () => {
    await run?.end();
    await data?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  /** A run without an end, of a tiny model, with two honest workers. */
  async function startRun() {
    const server = await startOwnServer({ run: 'r', runFolder: folder, hosts: ['127.0.0.1'], validHours: 1 });
    let quota = 0;
    const lead = (maxBytes?: number) =>
      openNatsTransport({
        ...{ ...server.address, run: 'r', name: 'c', inbox: server.inbox },
        ...(maxBytes && { create: { replicas: 1, maxBytes } }),
      });
    let transport: Transport | undefined;
    const coordinator = startCoordinator({
      train: {
        ...{ corpus: [data.text], tokenizer: 'chars', layers: 1, width: 16, heads: 2, context: 8, batchSize: 4 },
        ...{ steps: 1e6, syncEvery: 5, lr: 1e-3, warmup: 2, seed: 5, evalEvery: 100_000 },
        ...{ run: join(folder, 'run'), force: true },
      },
      cluster: { heartbeatTimeout: 2, grace: 0.5, roundTimeout: 20 },
      connect: async ({ bytes }) => {
        quota = bytes;
        transport = await lead(bytes);
        return { transport, gate: server.gate, key: server.key, serve: (desk) => server.serve(transport!, desk) };
      },
      startThread: () => modelThreadHere(),
    });
    const events: CoordinatorEvent[] = [];
    void collect(coordinator, events);
    const rounds = () => events.flatMap((one) => (one.type === 'round' ? one.round : []));
    await until(() => events.some(({ type }) => type === 'leading'));
    const honest = await Promise.all(['a', 'b'].map((host) => join_(server.invitation, host)));
    await until(() => rounds().length > 2);
    const own = await lead();
    return {
      server,
      coordinator,
      events,
      rounds,
      quotas: own.quotas,
      /** Of the run itself. */
      quota,
      /** So many rounds more are committed. */
      goOn: async (more: number) => {
        const goal = rounds().length + more;
        await until(() => rounds().length > goal);
      },
      end: async () => {
        coordinator.stop();
        await coordinator.result;
        await Promise.all(honest.map((one) => one.run.result));
        await own.close();
        await server.stop(true);
      },
    };
  }

  /** An honest worker. */
  async function join_(invitation: string, host: string) {
    const door = await openDoor(decodeInvitation(invitation));
    const made = startWorker({
      door,
      host,
      cache: join(folder, 'cache'),
      threads: 1,
      startThread: () => modelThreadHere(),
    });
    const events: WorkerEvent[] = [];
    void collect(made, events);
    const done = made.result.finally(() => door.close());
    done.catch(() => {});
    const joined = () => events.find((one) => one.type === 'joined')?.workers[0];
    await until(() => joined() !== undefined);
    return { run: made, events, worker: joined()! };
  }

  /** A worker that is let in as any other, joins, and stores until it is refused, what is not deleted while it is there. */
  async function greedy(host: string) {
    const invitation = decodeInvitation(run.server.invitation);
    const door = await openDoor(invitation);
    const request = {
      protocol: PROTOCOL,
      version: packageJson.version,
      key: door.key,
      replicas: 1,
      host,
      memory: 1e12,
    };
    const asked = encodeMessage(request);
    const answer = decodeMessage(
      new RunVerifier(invitation.coordinator).opened('join', await door.ask('join', asked, 10_000), asked),
      admissionAnswer,
      'an answer',
    );
    if (!answer.accepted) throw new Error(answer.reason);
    const { worker, incarnation } = answer.workers[0]!;
    const transport = await door.enter([worker], answer.pass);
    ends.push(async () => {
      await transport.close();
      await door.close();
    });
    const { layoutHash } = decodeMessage(await transport.blobs.get(answer.configuration), configurationSchema, '');
    const say = (message: object) =>
      transport.control.send({ to: 'up', worker }, encodeMessage({ run: answer.run, worker, incarnation, ...message }));
    say({ type: 'join', layoutHash, stepsPerSecond: null });
    await expect.poll(() => run.quotas.owners(), { timeout: 10_000 }).toContain(worker);
    let stored = 0;
    let refusal: unknown;
    for (; stored < MOST_PARTS && refusal === undefined; stored++)
      await transport.blobs.put(`${worker}/r/x${stored}`, new Uint8Array(PART)).catch((error) => {
        refusal = error;
      });
    return { worker, say, stored: stored - 1, refusal, transport };
  }

  const kept = async (worker: string) => (await run.quotas.keys(worker)).length;
  const isGone = (worker: string) => expect.poll(() => kept(worker), { timeout: 60_000, interval: 200 }).toBe(0);

  test('who writes until it is refused is refused soon, and frees all when it leaves; the run goes on', async () => {
    const { worker, say, stored, refusal, transport } = await greedy('greedy');
    expect(refusal).toBeInstanceOf(QuotaError);
    expect(stored * PART).toBeGreaterThan(5e5);
    expect(stored * PART).toBeLessThan(3e6);
    await run.goOn(3);
    expect(await kept(worker)).toBe(stored);
    say({ type: 'leave', reason: 'enough' });
    await isGone(worker);
    await expect(transport.blobs.put(`${worker}/c/1/0`, new Uint8Array(2))).rejects.toThrow(/may not store|closed/);
    await run.goOn(2);
  }, 120_000);

  test('an evicted worker frees what it stored, at once', async () => {
    const { worker } = await greedy('evil');
    run.coordinator.evict(worker, 'it filled its room');
    await isGone(worker);
    await run.goOn(2);
  }, 120_000);

  test('what a leaver has summed stays for joiners until the next snapshot, and a joiner after that has the parameters', async () => {
    const leaver = await join_(run.server.invitation, 'leaver');
    const committed = () =>
      run.events.filter((one) => one.type === 'round' && one.workers.includes(leaver.worker)).length;
    await expect.poll(committed, { timeout: 60_000 }).toBeGreaterThan(3);
    leaver.run.leave();
    await leaver.run.result;
    const between = await join_(run.server.invitation, 'between');
    const has = (one: { events: WorkerEvent[] }) => one.events.filter(({ type }) => type === 'contributed').length;
    await expect.poll(() => has(between), { timeout: 60_000 }).toBeGreaterThan(0);
    // Two snapshots later nobody can be on the way along its results.
    await isGone(leaver.worker);
    const late = await join_(run.server.invitation, 'late');
    await expect.poll(() => has(late), { timeout: 60_000 }).toBeGreaterThan(0);
    for (const one of [between, late]) {
      expect(one.events.filter(({ type }) => type === 'notice')).toEqual([]);
      one.run.leave();
      await one.run.result;
    }
    await run.goOn(1);
  }, 240_000);

  test('the run itself stays far below its own quota', async () => {
    expect(run.quota).toBeGreaterThan(1e7);
    expect((await run.quotas.keys('run')).length).toBeLessThan(400);
  });
});

/** Waits outside of a test too. */
function until(isSo: () => boolean): Promise<void> {
  const look = () => {
    if (!isSo()) throw new Error(`waited in vain for ${isSo}`);
  };
  return vi.waitFor(look, { timeout: 60_000, interval: 20 });
}

async function collect<T>(source: AsyncIterable<T>, into: T[]): Promise<void> {
  try {
    for await (const one of source) into.push(one);
  } catch {
    // The result says it.
  }
}
