import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeAccount, encodeOperator } from '@nats-io/jwt';
import { createAccount, createOperator } from '@nats-io/nkeys';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { natsThere, startTestServer, type TestServer } from '../nats/server.test-support.js';
import { openNatsTransport } from '../nats/transport.js';
import { OrderDesk, OrderGiver } from '../orders.js';
import type { Transport } from '../transport.js';
import { readConnection } from './connection-file.js';
import { openDoor } from './door.js';
import { useForeignServer } from './foreign-server.js';
import { decodeInvitation } from './invitation.js';
import { makeNkey } from './keys.js';
import { readRunKey } from './run-key.js';
import type { RunServer } from './run-server.js';
import { hasLapsed, parseSigner, readWorkerJwt, signUser } from './user-jwt.js';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined) => new TextDecoder().decode(value);
const runFolder = await mkdtemp(join(tmpdir(), 'meanfield-foreign-'));
afterAll(() => rm(runFolder, { recursive: true, force: true }));
const base = { run: 'r', runFolder, credential: { kind: 'none' }, shared: false, validHours: 1 } as const;

async function lead({ address, inbox }: RunServer): Promise<Transport> {
  const transport = await openNatsTransport({ ...address, run: 'r', name: 'c', inbox, create: { replicas: 1 } });
  for (const worker of ['w1', 'w2']) await transport.quotas.grant(worker, 1e6);
  return transport;
}

async function enter(server: RunServer, worker: string): Promise<Transport> {
  const door = await openDoor(decodeInvitation(server.invitation));
  try {
    return await door.enter(
      [worker],
      await server.gate.admit([worker], door.key, decodeInvitation(server.invitation).id),
    );
  } finally {
    await door.close();
  }
}

test('workers need credentials of their own, or leave to use ours', async () => {
  await expect(useForeignServer({ ...base, servers: ['nats://h'] })).rejects.toThrow(
    /`natsSigningKey`.*`sharedCredential: true`.*read, write and delete/s,
  );
});

test('a signing key is found in a file, with the account that it signs for', () => {
  const account = createAccount();
  const seed = text(account.getSeed());
  expect(parseSigner(`${seed}\n`)).toEqual({ seed });
  expect(parseSigner(`account ${account.getPublicKey()}\n# key\n${seed}`)).toEqual({
    seed,
    account: account.getPublicKey(),
  });
  for (const wrong of ['', 'SUAB', makeNkey().seed, seed.slice(0, -1)])
    expect(() => parseSigner(wrong)).toThrow(/SA and 56/);
});

test('only a JWT of the same signer, run and a worker is read', async () => {
  const signer = { seed: text(createAccount().getSeed()) };
  const { key } = makeNkey();
  const jwt = await signUser(signer, 'r', key, { workers: ['a', 'b'] }, 1);
  expect(readWorkerJwt(signer, 'r', jwt)).toEqual({ key, workers: ['a', 'b'] });
  expect([hasLapsed(jwt, 999), hasLapsed(jwt, 1000), hasLapsed(jwt)]).toEqual([false, true, true]);
  const wrong = [
    await signUser({ seed: text(createAccount().getSeed()) }, 'r', key, { workers: ['a'] }, 1),
    await signUser(signer, 'other', key, { workers: ['a'] }, 1),
    await signUser(signer, 'r', key, { invited: 'x' }, 1),
    `${jwt.slice(0, -4)}AAAA`,
    'a.b.c',
    '',
  ];
  for (const one of wrong) expect(() => readWorkerJwt(signer, 'r', one)).toThrow();
});

describe.skipIf(!natsThere)("someone else's server (skipped without nats-server)", () => {
  describe('with a shared credential', () => {
    let nats: TestServer;
    beforeAll(async () => {
      nats = await startTestServer('jetstream { store_dir: "FOLDER" }\nauthorization { user: u, password: "p:1" }');
    });
    afterAll(() => nats.remove());

    test('says what that means; workers come in with it, others do not', async () => {
      const servers = [nats.url.replace('//', '//u:p%3A1@')];
      const server = await useForeignServer({ ...base, servers, shared: true });
      expect(server.notice).toMatch(/read, write and delete all/);
      const coordinator = await lead(server);
      const worker = await enter(server, 'w1');
      expect(text(await coordinator.blobs.get(await worker.blobs.put('w1/x', bytes('x'))))).toBe('x');
      const operator = await openNatsTransport({ ...(await readConnection(runFolder)), name: 'operator' });
      await coordinator.state.set('x', bytes('x'), 0);
      expect(text((await operator.state.get('x'))?.value)).toBe('x');
      await server.stop(false);
      expect(text((await operator.state.get('x'))?.value)).toBe('x');
      await server.stop(true);
      await server.stop(true);
      await expect(operator.state.get('x')).rejects.toThrow(/stream not found/);
      await Promise.all([coordinator, worker, operator].map((one) => one.close()));
      await expect(lead({ ...server, address: { ...server.address, servers: [nats.url] } })).rejects.toThrow(
        /refused our credential/,
      );
    });
  });

  describe('with a signing key', () => {
    let nats: TestServer;
    const account = createAccount();
    const signing = createAccount();
    beforeAll(async () => {
      const operator = createOperator();
      const operatorJwt = await encodeOperator('op', operator);
      const limits = {
        mem_storage: -1,
        disk_storage: -1,
        streams: -1,
        consumer: -1,
        conn: -1,
        subs: -1,
        data: -1,
        payload: -1,
      };
      const accountJwt = await encodeAccount(
        'a',
        account,
        {
          limits: { ...limits, imports: -1, exports: -1, wildcards: true, leaf: -1 },
          signing_keys: [signing.getPublicKey()],
        },
        { signer: operator },
      );
      const system = createAccount();
      const systemJwt = await encodeAccount('s', system, {}, { signer: operator });
      nats = await startTestServer(
        `jetstream { store_dir: "FOLDER" }\noperator: ${operatorJwt}\nresolver: MEMORY\n` +
          `system_account: ${system.getPublicKey()}\n` +
          `resolver_preload: { ${account.getPublicKey()}: ${accountJwt}, ${system.getPublicKey()}: ${systemJwt} }`,
      );
    });
    afterAll(() => nats?.remove());

    test.each([
      ["the account's own", () => ({ seed: text(account.getSeed()) })],
      ['one of its signing keys', () => ({ seed: text(signing.getSeed()), account: account.getPublicKey() })],
    ])('%s: each worker is held to its own subjects, and gets new JWTs until it is evicted', async (_, signer) => {
      const server = await useForeignServer({ ...base, servers: [nats.url], signer: signer() });
      expect(server.notice).toMatch(/within 60 minutes/);
      const coordinator = await lead(server);
      const desk = new OrderDesk(coordinator.control, server.key, 'r');
      const stopServing = await server.serve(coordinator, desk);
      desk.open();
      const stop = coordinator.control.answer('join', async () => bytes('welcome'));
      const door = await openDoor(decodeInvitation(server.invitation));
      expect(text(await door.ask('join', bytes(''), 5000))).toBe('welcome');
      await expect(door.ask('status', bytes(''), 2000)).rejects.toThrow(/no right/);
      await expect(door.enter(['w1'], '{"access":"signed"}')).rejects.toThrow(/pass that cannot be read/);
      const pass = await server.gate.admit(['w1'], door.key, decodeInvitation(server.invitation).id);
      const worker = await door.enter(['w1'], pass);
      expect(text(await coordinator.blobs.get(await worker.blobs.put('w1/x', bytes('x'))))).toBe('x');
      await expect(worker.blobs.put('w2/x', bytes('x'))).rejects.toThrow(/no right/);
      await expect(worker.state.set('lease', bytes('x'), 0)).rejects.toThrow(/no right/);
      const { jwt } = JSON.parse(pass) as { jwt: string };
      const renewed = JSON.parse(text(await worker.control.ask('renew', bytes(jwt), 5000))) as { jwt: string };
      expect(readWorkerJwt(signer(), 'r', renewed.jwt)).toEqual({ key: door.key, workers: ['w1'] });
      await expect(worker.control.ask('renew', bytes('{}'), 5000)).rejects.toThrow(/Expected a JWT/);
      // The server says by which invitation one asks, so one that was withdrawn is of no use.
      const owner = new OrderGiver(coordinator.control, await readRunKey(runFolder), 'r');
      const ask = async (content: object) => (await owner.give('invite', content, 5000)) as { invitation: string };
      const other = await ask({ hours: 1, once: true, approve: true });
      const word = decodeInvitation(other.invitation);
      const thief = await openDoor({ ...word, id: decodeInvitation(server.invitation).id });
      await expect(thief.ask('join', bytes(''), 2000)).rejects.toThrow(/no right/);
      await thief.close();
      await expect(worker.control.ask('join', bytes(''), 2000, word.id)).rejects.toThrow(/no right/);
      expect(server.gate.asksPerson(makeNkey().key, word.id)).toBe(true);
      expect(server.gate.asksPerson(makeNkey().key, decodeInvitation(server.invitation).id)).toBe(false);
      await server.gate.admit(['w2'], makeNkey().key, word.id);
      await expect(server.gate.admit(['w3'], makeNkey().key, word.id)).rejects.toThrow(/for one machine/);
      await ask({ revoke: 'all' });
      const late = server.gate.admit(['w4'], makeNkey().key, decodeInvitation(server.invitation).id);
      await expect(late).rejects.toThrow(/withdrawn/);
      await server.gate.evict(['w1']);
      await expect(worker.control.ask('renew', bytes(jwt), 5000)).rejects.toThrow(/w1 was evicted/);
      await server.gate.forget(['w1']);
      await expect(worker.control.ask('renew', bytes(jwt), 5000)).rejects.toThrow(/w1 was evicted/);
      // One that stands by answers nothing.
      stopServing();
      await expect(worker.control.ask('renew', bytes(jwt), 500)).rejects.toThrow(/does not answer/);
      await coordinator.close();
      // Started anew it knows nobody; whoever begins to lead says who is out.
      const again = await useForeignServer({ ...base, servers: [nats.url], signer: signer() });
      await again.gate.evict(['w1']);
      const successor = await lead(again);
      await again.serve(successor, new OrderDesk(successor.control, again.key, 'r'));
      // By its answer the server has heard that we listen.
      await successor.state.get('x');
      await expect(worker.control.ask('renew', bytes(jwt), 5000)).rejects.toThrow(/w1 was evicted/);
      await successor.close();
      stop();
      await Promise.all([worker, door].map((one) => one.close()));
    });
  });
});
