import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { connectNats } from '../nats/connect.js';
import { natsThere } from '../nats/server.test-support.js';
import { openNatsTransport } from '../nats/transport.js';
import { OrderDesk, OrderGiver } from '../orders.js';
import type { Transport } from '../transport.js';
import { readConnection } from './connection-file.js';
import { openDoor } from './door.js';
import { decodeInvitation } from './invitation.js';
import { makeNkey } from './keys.js';
import { type OwnServer, startOwnServer } from './own-server.js';
import { readRunKey } from './run-key.js';

/** Bytes that each worker may store here. */
const QUOTA = 10_000_000;
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined) => new TextDecoder().decode(value);

describe.skipIf(!natsThere)('a server of our own (skipped without nats-server)', () => {
  let folder: string;
  let server: OwnServer;
  let coordinator: Transport;
  const opened: { close(): Promise<void> }[] = [];
  const kept = <T extends { close(): Promise<void> }>(one: T): T => {
    opened.push(one);
    return one;
  };
  const notices: string[] = [];
  const onNotice = (message: string) => void notices.push(message);
  const options = () => ({ run: 'r', runFolder: folder, hosts: ['127.0.0.1'], validHours: 1, onNotice });
  const lead = (create: boolean) =>
    openNatsTransport({
      ...server.address,
      run: 'r',
      name: 'coordinator',
      inbox: server.inbox,
      ...(create && { create: { replicas: 1 as const } }),
    });
  const invited = () => decodeInvitation(server.invitation).id;
  const door = async () => kept(await openDoor(decodeInvitation(server.invitation)));
  const enter = async (...workers: string[]) => {
    const at = await door();
    const pass = await server.gate.admit(workers, at.key, invited());
    await Promise.all(workers.map((worker) => coordinator.quotas.grant(worker, QUOTA)));
    return kept(await at.enter(workers, pass));
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'meanfield-own-'));
    server = await startOwnServer(options());
    coordinator = await lead(true);
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.close()));
  });
  afterAll(async () => {
    await coordinator?.close();
    await server?.stop(true);
    expect(await readdir(join(folder, 'nats'))).not.toContain('store');
    await rm(folder, { recursive: true, force: true });
  });

  test('keeps secrets from others and encrypts', async () => {
    expect((await stat(join(folder, 'nats'))).mode & 0o77).toBe(0);
    const { certificate: _, ...untrusting } = server.address;
    await expect(connectNats({ ...untrusting, name: 'x', inbox: '_MF.x', pingInterval: 1e4 })).rejects.toThrow(
      /No trusted TLS connection/,
    );
  });

  test('listens at one port, where it was asked to, and for nothing but NATS', async () => {
    const { pid } = JSON.parse(await readFile(join(folder, 'nats', 'server.json'), 'utf8'));
    const ports = JSON.parse(await readFile(join(folder, 'nats', `nats-server_${pid}.ports`), 'utf8'));
    expect(ports).toEqual({ nats: [expect.stringMatching(/^tls:\/\/127\.0\.0\.1:\d+$/)] });
    expect(await readFile(join(folder, 'nats', 'server.conf'), 'utf8')).not.toMatch(/websocket|0\.0\.0\.0/);
    expect(decodeInvitation(server.invitation).servers.map((url) => new URL(url).hostname)).toEqual([
      ...['127.0.0.1', 'localhost'],
    ]);
  });

  test('a stranger is refused, whatever key it has', async () => {
    const credential = { kind: 'nkey' as const, seed: makeNkey().seed };
    await expect(openDoor({ ...decodeInvitation(server.invitation), credential })).rejects.toThrow(
      /refused our credential/,
    );
    await expect(openDoor({ ...decodeInvitation(server.invitation), credential: { kind: 'none' } })).rejects.toThrow(
      /refused our credential/,
    );
  });

  test('at the door one may ask to join, and nothing else', async () => {
    const stop = coordinator.control.answer('join', async (message) => bytes(`hello ${text(message)}`));
    coordinator.control.answer('status', async () => bytes('secret'));
    const at = await door();
    expect(text(await at.ask('join', bytes('me'), 5000))).toBe('hello me');
    await expect(at.ask('status', bytes(''), 2000)).rejects.toThrow(/no right to mf\.r\.ask\.status/);
    stop();
    await expect(at.ask('join', bytes('me'), 300)).rejects.toThrow(/coordinator of r does not answer/);
    const { credential } = decodeInvitation(server.invitation);
    const thief = kept(
      await openNatsTransport({
        ...server.address,
        credential,
        run: 'r',
        name: 'thief',
        inbox: '_MF.x',
        patience: 300,
      }),
    );
    await expect(thief.blobs.put('w1/x', bytes('x'))).rejects.toThrow(/no right/);
    await expect(thief.state.get('round')).rejects.toThrow(/no right/);
    await expect(at.enter(['w9'], JSON.stringify({ access: 'own' }))).rejects.toThrow(/refused our credential/);
  });

  test('a reason that the coordinator gives reaches the asker', async () => {
    const stop = coordinator.control.answer('join', async () => {
      throw new Error('too little memory');
    });
    await expect((await door()).ask('join', bytes('me'), 5000)).rejects.toThrow('too little memory');
    stop();
  });

  test('a worker speaks, hears, reads and writes under its own names', async () => {
    const heard: string[] = [];
    const stop = coordinator.control.listen({ to: 'up', worker: '*' }, (message, from) => {
      heard.push(`${JSON.stringify(from)} ${text(message)}`);
    });
    const worker = await enter('a1', 'a2');
    for (const name of ['a1', 'a2']) worker.control.send({ to: 'up', worker: name }, bytes('up'));
    worker.control.listen({ to: 'down', worker: 'a2' }, (message) => heard.push(text(message)));
    worker.control.listen({ to: 'all' }, (message) => heard.push(text(message)));
    const revision = await coordinator.state.set('round', bytes('1'), 0);
    await worker.state.watch('round', ({ value }) => heard.push(`round ${text(value)}`));
    coordinator.control.send({ to: 'down', worker: 'a2' }, bytes('down'));
    coordinator.control.send({ to: 'all' }, bytes('all'));
    await coordinator.state.set('round', bytes('2'), revision);
    await expect
      .poll(() => [...heard].sort())
      .toEqual(['all', 'down', 'round 1', 'round 2', '{"to":"up","worker":"a1"} up', '{"to":"up","worker":"a2"} up']);
    stop();
    const content = new Uint8Array(3_000_000).map((_, i) => (i * 7919) >> 5);
    for (const [from, to, key] of [
      [worker, coordinator, 'a1/3/x'],
      [coordinator, worker, 'run/3'],
    ] as const) {
      expect(Buffer.compare(await to.blobs.get(await from.blobs.put(key, content)), content)).toBe(0);
    }
  });

  test('a worker cannot overwrite what it has written: a result that was committed stays as it is', async () => {
    const worker = await enter('c1');
    const content = new Uint8Array(2_500_000).map((_, i) => (i * 7919) >> 5);
    const ref = await worker.blobs.put('c1/r/1', content);
    // As after an acknowledgement that was lost.
    expect(await worker.blobs.put('c1/r/1', content)).toEqual(ref);
    await expect(
      worker.blobs.put(
        'c1/r/1',
        content.map((byte) => byte ^ 1),
      ),
    ).rejects.toThrow(/no right/);
    expect(Buffer.compare(await coordinator.blobs.get(ref), content)).toBe(0);
    // The coordinator may delete, so it may put something else in the place of its own.
    await coordinator.blobs.put('run/configuration', bytes('old'));
    const replaced = await coordinator.blobs.put('run/configuration', bytes('new'));
    expect(text(await worker.blobs.get(replaced))).toBe('new');
  });

  test('a worker cannot write, delete, set or hear what is not its own', async () => {
    const worker = await enter('b1');
    const other = await enter('b2');
    const ref = await other.blobs.put('b2/x', bytes('other'));
    const blobs = [worker.blobs.put('b2/x', bytes('evil')), worker.blobs.put('run/x', bytes('evil'))];
    for (const put of blobs) await expect(put).rejects.toThrow(/no right/);
    await expect(worker.blobs.delete('b1')).rejects.toThrow(/no right/);
    await expect(worker.state.set('lease', bytes('evil'), 0)).rejects.toThrow(/no right/);
    const heard: string[] = [];
    worker.control.listen({ to: 'down', worker: 'b2' }, (message) => heard.push(text(message)));
    worker.control.listen({ to: 'up', worker: '*' }, (message) => heard.push(text(message)));
    const stop = coordinator.control.listen({ to: 'up', worker: 'b2' }, (message) => heard.push(text(message)));
    worker.control.send({ to: 'up', worker: 'b2' }, bytes('forged'));
    worker.control.send({ to: 'all' }, bytes('forged'));
    coordinator.control.send({ to: 'down', worker: 'b2' }, bytes('for b2 alone'));
    // Until it is heard: a subscription of one connection and a message of another may overtake each other.
    await expect
      .poll(() => {
        other.control.send({ to: 'up', worker: 'b2' }, bytes('true'));
        return heard.length;
      })
      .toBeGreaterThan(0);
    await sleep(100);
    expect([...new Set(heard)]).toEqual(['true']);
    stop();
    expect(text(await coordinator.blobs.get(ref))).toBe('other');
  });

  test('a stored message cannot be had sent to where its reader may not write', async () => {
    const worker = await enter('c1');
    await worker.blobs.put('c1/x', bytes('{"evil":true}'));
    const mine = await coordinator.blobs.put('run/snapshot', bytes('snapshot'));
    await coordinator.state.set('guarded', bytes('true'), 0);
    const heard: string[] = [];
    const stops = [
      coordinator.control.listen({ to: 'up', worker: '*' }, (message) => heard.push(text(message))),
      worker.control.listen({ to: 'down', worker: 'c1' }, (message) => heard.push(text(message))),
    ];
    const key = makeNkey();
    await server.gate.admit(['c2'], key.key, invited());
    const raw = await connectNats({
      ...server.address,
      credential: { kind: 'nkey', seed: key.seed },
      name: 'evil',
      inbox: `_MF.${key.key}`,
      pingInterval: 1e4,
    });
    const goals = ['$KV.mf-r.guarded', 'mf.r.b.run.snapshot.0', 'mf.r.up.c1', 'mf.r.down.c1', 'mf.r.all'];
    for (const reply of [...goals, 'mf.r.up.c2']) {
      raw.publish('mf.r.api.DIRECT.GET.mf-r@c1.mf.r.b.c1.x.0', '', { reply });
      raw.publish('mf.r.api.DIRECT.GET.mf-r@c1.mf.r.b.c1.missing.0', '', { reply });
    }
    await raw.flush();
    await sleep(200);
    await raw.close();
    expect(text((await coordinator.state.get('guarded'))?.value)).toBe('true');
    expect(text(await coordinator.blobs.get(mine))).toBe('snapshot');
    expect(heard).toEqual([]);
    for (const stop of stops) stop();
  });

  test('who is evicted is out at once and stays out, with all names of its key; others notice nothing', async () => {
    const at = await door();
    const pass = await server.gate.admit(['d1'], at.key, invited());
    await server.gate.admit(['d2'], at.key, invited());
    const worker = kept(await at.enter(['d1', 'd2'], pass));
    const other = await enter('d3');
    const said: string[] = [];
    other.onStatus(({ reason }) => said.push(reason));
    const lost = new Promise<string>((resolve) => {
      worker.onStatus(({ shutOut, reason }) => {
        if (shutOut) resolve(reason);
      });
    });
    await server.gate.evict(['d2']);
    expect(await lost).toMatch(/no longer takes our credential/);
    await expect(worker.blobs.put('d1/x', bytes('x'))).rejects.toThrow(/closed/);
    await expect(at.enter(['d1'], pass)).rejects.toThrow(/refused our credential/);
    await expect(server.gate.admit(['d1'], at.key, invited())).rejects.toThrow(/evicted/);
    await other.blobs.put('d3/x', bytes('x'));
    expect(said).toEqual([]);
    await expect(server.gate.admit(['x'], 'no key } accounts {', invited())).rejects.toThrow(/Expected the public key/);
  });

  test('a key is forgotten when all its names are gone, and who is absent can be evicted', async () => {
    const file = async () => JSON.parse(await readFile(join(folder, 'nats', 'secrets.json'), 'utf8'));
    const names = async () => (await file()).workers.flatMap((one: { names: string[] }) => one.names);
    const at = await door();
    const worker = kept(await at.enter(['q1', 'q2'], await server.gate.admit(['q1', 'q2'], at.key, invited())));
    await server.gate.forget(['q1', 'nobody']);
    await coordinator.quotas.grant('q2', QUOTA);
    await worker.blobs.put('q2/x', bytes('x'));
    expect(await names()).toContain('q2');
    const out = new Promise((resolve) => worker.onStatus(({ shutOut }) => shutOut && resolve(true)));
    await server.gate.forget(['q2']);
    await out;
    expect(await names()).not.toContain('q2');
    expect((await file()).evicted).not.toContain(at.key);
    const gone = await door();
    const pass = await server.gate.admit(['q3'], gone.key, invited());
    await server.gate.evict(['q3', 'never-there']);
    expect((await file()).evicted).toContain(gone.key);
    await expect(gone.enter(['q3'], pass)).rejects.toThrow(/refused our credential/);
  });

  test('an invitation can be made anew, used once, and withdrawn; what it is is told by the server', async () => {
    const desk = new OrderDesk(coordinator.control, server.key, 'r');
    await server.serve(coordinator, desk);
    desk.open();
    const operator = kept(await openNatsTransport({ ...(await readConnection(folder)), name: 'operator' }));
    const owner = new OrderGiver(operator.control, await readRunKey(folder), 'r');
    const ask = async (content: object) =>
      (await owner.give('invite', 'hours' in content ? { approve: false, ...content } : content, 5000)) as {
        readonly id: string;
        readonly invitation: string;
        readonly invitations: readonly object[];
      };
    const asked: (string | undefined)[] = [];
    const stop = coordinator.control.answer('join', async (message, by, address) => {
      asked.push(by);
      addresses.add(address);
      return bytes(await server.gate.admit([`v${asked.length}`], text(message), by));
    });
    const addresses = new Set<string | undefined>();
    const once = await ask({ hours: 1, once: true, approve: true });
    const at = kept(await openDoor(decodeInvitation(once.invitation)));
    const worker = kept(await at.enter(['v1'], text(await at.ask('join', bytes(at.key), 5000))));
    expect(asked).toEqual([once.id]);
    expect([...addresses]).toEqual(['127.0.0.1']);
    expect([once.id, invited()].map((id) => server.gate.asksPerson(at.key, id))).toEqual([true, false]);
    await expect(at.ask('join', bytes(makeNkey().key), 5000)).rejects.toThrow(/for one machine/);
    await at.ask('join', bytes(at.key), 5000);
    // A worker may not ask for others, and nobody by another's invitation.
    await expect(worker.control.ask('join', bytes(makeNkey().key), 2000, invited())).rejects.toThrow(/no right/);
    await expect(worker.control.ask('join', bytes(makeNkey().key), 2000)).rejects.toThrow(/no right/);
    const thief = kept(await openDoor({ ...decodeInvitation(once.invitation), id: invited() }));
    await expect(thief.ask('join', bytes(makeNkey().key), 2000)).rejects.toThrow(/no right/);
    await expect(worker.control.ask('invite', bytes('{"list":true}'), 2000)).rejects.toThrow(/no right/);
    const many = await ask({ hours: 1, once: false });
    expect((await ask({ list: true })).invitations).toHaveLength(3);
    expect(await ask({ revoke: many.id })).toEqual({ revoked: [many.id] });
    await expect(openDoor(decodeInvitation(many.invitation))).rejects.toThrow(/refused our credential/);
    await coordinator.quotas.grant('v1', QUOTA);
    await worker.blobs.put('v1/x', bytes('x'));
    // The server reads of it after a second or two.
    const short = await ask({ hours: 4 / 3600, once: false });
    const late = kept(await openDoor(decodeInvitation(short.invitation)));
    await expect
      .poll(() => late.ask('join', bytes(late.key), 500).catch(String), { timeout: 8000, interval: 500 })
      .toMatch(/has expired|is closed/);
    // And the server shuts it out by itself, a moment later.
    const coming = () =>
      openDoor(decodeInvitation(short.invitation)).then(
        (one) => one.close(),
        (error: Error) => error.message,
      );
    await expect.poll(coming, { timeout: 15_000, interval: 500 }).toMatch(/refused our credential/);
    stop();
  });

  test('a key has so many connections, and its messages so many bytes', async () => {
    const key = makeNkey();
    await server.gate.admit(['limited'], key.key, invited());
    const address = { ...server.address, credential: { kind: 'nkey' as const, seed: key.seed } };
    const open = () => connectNats({ ...address, name: 'x', inbox: `_MF.${key.key}`, pingInterval: 1e4 });
    const some = await Promise.all(Array.from({ length: 8 }, open));
    await expect(open()).rejects.toThrow();
    expect(some[0]!.info!.max_payload).toBe(2 * 1024 * 1024);
    expect(() => some[0]!.publish('mf.r.up.limited', new Uint8Array(3_000_000))).toThrow(/max_payload/);
    await Promise.all(some.map((one) => one.close()));
  });

  test('many are let in at once', async () => {
    const keys = Array.from({ length: 20 }, makeNkey);
    await Promise.all(keys.map(({ key }, i) => server.gate.admit([`m${i}`], key, invited())));
    const config = await readFile(join(folder, 'nats', 'server.conf'), 'utf8');
    for (const { key } of keys) expect(config).toContain(key);
    const last = await openNatsTransport({
      ...server.address,
      credential: { kind: 'nkey', seed: keys[19]!.seed },
      run: 'r',
      name: 'm19',
      inbox: `_MF.${keys[19]!.key}`,
      access: 'isolated',
    });
    await coordinator.quotas.grant('m19', QUOTA);
    expect(text(await coordinator.blobs.get(await last.blobs.put('m19/x', bytes('x'))))).toBe('x');
    await last.close();
  });

  test('a server that is started again has room for all that was set aside, whatever is free by then', async () => {
    const apart = await mkdtemp(join(tmpdir(), 'meanfield-room-'));
    const begin = async () => {
      const again = await startOwnServer({ ...options(), runFolder: apart, port: 0 });
      const own = { ...again.address, run: 'r', name: 'c', inbox: again.inbox, create: { replicas: 1 as const } };
      return { again, leader: await openNatsTransport(own) };
    };
    const room = async () =>
      Number(/max_file: (\d+)/.exec(await readFile(join(apart, 'nats', 'server.conf'), 'utf8'))![1]);
    let { again, leader } = await begin();
    const first = await room();
    // What is stored leaves less free than was set aside.
    await leader.quotas.grant('w1', first - QUOTA - 1_000_000);
    await leader.quotas.grant('w2', QUOTA);
    await expect(leader.quotas.grant('w3', QUOTA)).rejects.toThrow(/no room to set aside 10.0 MB for what w3 stores/);
    const ref = await leader.blobs.put('w2/x', new Uint8Array(9_000_000).fill(3));
    await leader.close();
    await again.stop(false);
    ({ again, leader } = await begin());
    expect(await room()).toBe(first);
    expect([...(await leader.quotas.owners())].sort()).toEqual(['w1', 'w2']);
    expect((await leader.blobs.get(ref))[8_999_999]).toBe(3);
    await leader.close();
    await again.stop(true);
    await rm(apart, { recursive: true, force: true });
  });

  test('who comes just while the users are read anew gets in all the same', async () => {
    let done = false;
    const reading = (async () => {
      for (let i = 0; !done; i++) await server.gate.admit([`n${i}`], makeNkey().key, invited());
    })();
    for (let i = 0; i < 10; i++) await (await enter(`o${i}`)).blobs.put(`o${i}/x`, bytes('x'));
    done = true;
    await reading;
  });

  test('it outlives its coordinator, and is found again with the same invitation', async () => {
    const worker = await enter('e1');
    const { hosts: _, ...later } = options();
    const again = await startOwnServer(later);
    expect(again.found).toBe(true);
    expect(again.invitation).toBe(server.invitation);
    await worker.blobs.put('e1/x', bytes('x'));
    const operator = kept(await openNatsTransport({ ...(await readConnection(folder)), name: 'operator' }));
    expect(text((await operator.state.get('guarded'))?.value)).toBe('true');
  });

  test('killed, it is started again, and its workers go on', { timeout: 150_000 }, async () => {
    const worker = await enter('k1');
    const ref = await worker.blobs.put('k1/x', bytes('kept'));
    const { pid } = JSON.parse(await readFile(join(folder, 'nats', 'server.json'), 'utf8'));
    process.kill(pid, 'SIGKILL');
    // Whoever comes just now waits for the server, or starts it.
    await server.gate.admit(['k2'], makeNkey().key, invited());
    expect(text(await coordinator.blobs.get(ref))).toBe('kept');
    // A server that was started again may cut an account off until the accounts are read again, a minute at most: what
    // could not be stored is stored once more, as a worker does it.
    await vi.waitFor(() => worker.blobs.put('k1/y', bytes('more')), { timeout: 90_000 });
    expect(notices).toEqual(notices.filter((message) => /started again/.test(message)));
  });

  test('asked to listen elsewhere, it does', async () => {
    const another = await mkdtemp(join(tmpdir(), 'meanfield-listen-'));
    const first = await startOwnServer({ ...options(), runFolder: another, port: 0, hosts: ['192.0.2.7'] });
    const listens = async () =>
      /listen: "(.*):\d+"/.exec(await readFile(join(another, 'nats/server.conf'), 'utf8'))![1];
    expect(await listens()).toBe('0.0.0.0');
    const second = await startOwnServer({ ...options(), runFolder: another, port: 0 });
    expect(await listens()).toBe('127.0.0.1');
    expect(second.found).toBe(false);
    expect(second.address.servers).toEqual(first.address.servers);
    await first.stop(false);
    await second.stop(true);
    await rm(another, { recursive: true });
  });

  test('a port that is taken is given up for a free one, unless it was asked for', async () => {
    const squatter = createServer();
    const port = await new Promise<number>((resolve) => {
      squatter.once('error', () => resolve(0));
      squatter.listen(4222, () => resolve(4222));
    });
    const another = await mkdtemp(join(tmpdir(), 'meanfield-port-'));
    const taken = { ...options(), runFolder: another };
    await expect(startOwnServer({ ...taken, port: 4222 })).rejects.toThrow(/does not start.*in use.*another `port`/s);
    const moved = await startOwnServer(taken);
    expect(moved.address.servers[0]).not.toContain(':4222');
    await moved.stop(true);
    await rm(join(another, 'nats'), { recursive: true });
    const free = await startOwnServer({ ...taken, port: 0 });
    expect(free.address.servers[0]).toMatch(/:(?!4222$)\d{4,5}$/);
    await free.stop(true);
    if (port !== 0) await new Promise((resolve) => squatter.close(resolve));
    await rm(another, { recursive: true });
  });

  test('stopped and started again, it has its port, its state and its workers', async () => {
    const worker = await enter('f1');
    const back = new Promise<void>((resolve) => {
      worker.onStatus(({ connected }) => connected && resolve());
    });
    await coordinator.state.set('lasting', bytes('yes'), 0);
    await coordinator.close();
    await server.stop(false);
    server = await startOwnServer(options());
    expect(server.found).toBe(false);
    coordinator = await lead(true);
    await back;
    expect(text((await worker.state.get('lasting'))?.value)).toBe('yes');
    await worker.blobs.put('f1/x', bytes('x'));
  });
});
