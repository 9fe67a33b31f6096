import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BlobDamagedError, BlobMissingError, RefusedError, StateConflictError } from '../errors.js';
import type { Transport, TransportStatus } from '../transport.js';
import { makeCertificate } from '../trust/certificate.js';
import { connectNats } from './connect.js';
import { natsThere, startTestServer, type TestServer } from './server.test-support.js';
import { type NatsTransportOptions, openNatsTransport } from './transport.js';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined) => new TextDecoder().decode(value);
const options = (url: string): NatsTransportOptions => ({
  servers: [url],
  credential: { kind: 'none' },
  run: 'r',
  name: 'test',
  inbox: '_MF.test',
});
const create = { create: { replicas: 1 as const } };
const same = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0;

function content(length: number): Uint8Array {
  const result = new Uint8Array(length);
  for (let i = 0; i < length; i++) result[i] = (i * 2654435761) >>> 13;
  return result;
}

describe.skipIf(!natsThere)('a run on a NATS server (skipped without nats-server)', () => {
  let server: TestServer;
  let transport: Transport;
  let other: Transport;

  beforeAll(async () => {
    server = await startTestServer();
    transport = await openNatsTransport({ ...options(server.url), ...create });
    other = await openNatsTransport({ ...options(server.url), ...create, inbox: '_MF.other' });
    for (const owner of ['w', 'd', 'e', 'evil', 'coordinator']) await transport.quotas.grant(owner, 1e9);
  });
  afterAll(async () => {
    await Promise.all([transport?.close(), other?.close()]);
    await server?.remove();
  });

  test('blobs of any size come back, into a new array or one that is given', async () => {
    for (const length of [0, 1, 1000, 2 ** 20, 2 ** 20 + 1, 5_000_001]) {
      const sent = content(length);
      const before = transport.blobs.traffic.sent;
      const ref = await transport.blobs.put('w/1/2', sent);
      expect(ref).toMatchObject({ key: 'w/1/2', bytes: length, chunks: Math.max(1, Math.ceil(length / 2 ** 20)) });
      expect(transport.blobs.traffic.sent - before).toBe(length);
      expect(same(await other.blobs.get(ref), sent)).toBe(true);
      const into = new Uint8Array(length);
      expect(await other.blobs.get(ref, into)).toBe(into);
      expect(same(into, sent)).toBe(true);
    }
    await expect(other.blobs.get({ key: 'w/1/2', bytes: 3, chunks: 1, hash: '' }, new Uint8Array(2))).rejects.toThrow(
      /3 bytes, the array 2/,
    );
  });

  test('many at once are told apart', async () => {
    const all = Array.from({ length: 100 }, (_, i) => content(1000 * i + 7));
    const refs = await Promise.all(all.map((one, i) => transport.blobs.put(`w/many/${i}`, one)));
    const got = await Promise.all(refs.map((ref) => other.blobs.get(ref)));
    expect(got.every((one, i) => same(one, all[i]!))).toBe(true);
  });

  test('what is missing and what is damaged are told apart', async () => {
    const ref = await transport.blobs.put('w/gone', content(3_000_000));
    const replaced = await transport.blobs.put('w/replaced', content(10));
    await transport.blobs.put('w/replaced', content(11).subarray(1));
    await expect(other.blobs.get({ ...replaced, hash: replaced.hash })).rejects.toThrow(BlobDamagedError);
    await expect(other.blobs.get({ ...replaced, bytes: 12 })).rejects.toThrow(BlobDamagedError);
    await expect(other.blobs.get({ ...ref, chunks: 9 })).rejects.toThrow(BlobMissingError);
    await transport.blobs.delete('w/gone');
    await expect(other.blobs.get(ref)).rejects.toThrow(BlobMissingError);
    await expect(other.blobs.get({ ...ref, key: 'w/never' })).rejects.toThrow(/does not have .*w\.never/);
  });

  test('deleting takes what begins with whole segments, and nothing else', async () => {
    const keys = ['d/1/a', 'd/1/b/c', 'd/1', 'd/10', 'e/1'];
    const refs = await Promise.all(keys.map((key) => transport.blobs.put(key, bytes(key))));
    await transport.blobs.delete('d/1');
    const left = await Promise.all(
      refs.map((ref) =>
        other.blobs.get(ref).then(
          (found) => text(found),
          () => '-',
        ),
      ),
    );
    expect(left).toEqual(['-', '-', '-', 'd/10', 'e/1']);
  });

  test('a transfer ends when it is told to', async () => {
    const stop = AbortSignal.abort(new Error('enough'));
    await expect(transport.blobs.put('w/x', content(10), stop)).rejects.toThrow('enough');
    const ref = await transport.blobs.put('w/x', content(10));
    await expect(transport.blobs.get(ref, undefined, stop)).rejects.toThrow('enough');
  });

  test('a state is set by who has seen the last one', async () => {
    expect(await transport.state.get('round')).toBeUndefined();
    const first = await transport.state.set('round', bytes('1'), 0);
    await expect(other.state.set('round', bytes('x'), 0)).rejects.toThrow(StateConflictError);
    const second = await other.state.set('round', bytes('2'), first);
    expect(second).toBeGreaterThan(first);
    await expect(transport.state.set('round', bytes('y'), first)).rejects.toThrow(/expected revision/);
    expect(await transport.state.get('round')).toEqual({ value: bytes('2'), revision: second });
    const racers = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) => (i % 2 ? transport : other).state.set('round', bytes(`r${i}`), second)),
    );
    expect(racers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('a watcher hears what is there and each last change, until it stops', async () => {
    const heard: string[] = [];
    let revision = await transport.state.set('watched', bytes('0'), 0);
    const stop = await other.state.watch('watched', ({ value }) => heard.push(text(value)));
    expect(heard).toEqual(['0']);
    for (let i = 1; i <= 5; i++) {
      revision = await transport.state.set('watched', bytes(String(i)), revision);
    }
    await expect.poll(() => heard.at(-1)).toBe('5');
    expect([...heard].sort()).toEqual(heard);
    stop();
    const count = heard.length;
    await transport.state.set('watched', bytes('6'), revision);
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(heard).toHaveLength(count);
  });

  test('a message that is stored, or answered to the wrong place, is not heard', async () => {
    const heard: string[] = [];
    transport.control.listen({ to: 'up', worker: '*' }, (message) => heard.push(text(message)));
    let asked = 0;
    transport.control.answer('count', async () => bytes(String(++asked)));
    await other.blobs.put('evil/x', bytes('{}'));
    const raw = await connectNats({ ...options(server.url), inbox: '_MF.raw', pingInterval: 1000 });
    raw.publish('$JS.API.DIRECT.GET.mf-r@evil.mf.r.b.evil.x.0', '', { reply: 'mf.r.up.w1' });
    raw.publish('$JS.API.DIRECT.GET.mf-r@evil.mf.r.b.evil.missing.0', '', { reply: 'mf.r.up.w1' });
    raw.publish('mf.r.ask.count', '', { reply: 'mf.r.up.w2' });
    raw.publish('mf.r.ask.count');
    await raw.flush();
    expect(text(await other.control.ask('count', bytes(''), 2000))).toBe('1');
    other.control.send({ to: 'up', worker: 'w3' }, bytes('true'));
    await expect.poll(() => heard).toEqual(['true']);
    await raw.close();
  });

  test('one of several coordinators is asked', async () => {
    const asked: string[] = [];
    for (const [name, one] of Object.entries({ transport, other })) {
      one.control.answer('who', async () => {
        asked.push(name);
        return bytes(name);
      });
    }
    expect(['transport', 'other']).toContain(text(await transport.control.ask('who', bytes(''), 2000)));
    expect(asked).toHaveLength(1);
  });

  test('too large a message says what to set', async () => {
    const large = new Uint8Array(9 * 2 ** 20);
    expect(() => transport.control.send({ to: 'all' }, large)).toThrow(/max_payload: 8MB/);
    await expect(transport.state.set('large', large, 0)).rejects.toThrow(/max_payload: 8MB/);
  });

  test('an answer that is too large, or fails, is told to who asked', async () => {
    const asking = (what: string) => other.control.ask(what, bytes(''), 2000);
    transport.control.answer('large', async () => new Uint8Array(9 * 2 ** 20));
    transport.control.answer('failing', async () => {
      throw new Error('out of order');
    });
    // The server hears on another connection who asks.
    await expect.poll(() => asking('large').catch(String)).toMatch(/max_payload: 8MB/);
    await expect(asking('failing')).rejects.toThrow(new RefusedError('out of order'));
    await expect(asking('nobody')).rejects.toThrow(/coordinator of r does not answer/);
  });

  test('who has closed sends, answers and hears no more, and does not fail', async () => {
    const closing = await openNatsTransport({ ...options(server.url), inbox: '_MF.closing' });
    let release = () => {};
    closing.control.answer('slow', () => new Promise((resolve) => (release = () => resolve(bytes('late')))));
    // Closing may take longer than the answer is waited for.
    const asked = expect(other.control.ask('slow', bytes(''), 400)).rejects.toThrow(/does not answer/);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await closing.close();
    release();
    closing.control.send({ to: 'all' }, bytes('x'));
    await asked;
    await expect(closing.state.get('x')).rejects.toThrow(/closed/);
    await closing.close();
  });

  test('a server that is killed and comes back has lost nothing; those who wait are told', async () => {
    const said: TransportStatus[] = [];
    const stop = transport.onStatus((status) => said.push(status));
    const ref = await transport.blobs.put('w/kept', content(2_500_000));
    const revision = await transport.state.set('kept', bytes('yes'), 0);
    await server.kill();
    const writing = transport.blobs.put('w/during', content(2_500_000));
    const reading = other.state.get('kept');
    await expect.poll(() => said.some(({ connected }) => !connected)).toBe(true);
    await server.restart();
    expect(same(await transport.blobs.get(await writing), content(2_500_000))).toBe(true);
    expect(await reading).toEqual({ value: bytes('yes'), revision });
    expect(same(await other.blobs.get(ref), content(2_500_000))).toBe(true);
    await expect.poll(() => said.at(-1)?.connected).toBe(true);
    expect(said[0]!.reason).toMatch(/lost; trying again/);
    stop();
  });
});

describe.skipIf(!natsThere)('what is wrong with a server is said, and what to do (skipped without nats-server)', () => {
  const servers: TestServer[] = [];
  const startServer = async (configuration: string) => {
    const server = await startTestServer(configuration);
    servers.push(server);
    return server.url;
  };
  const opening = (url: string, more: Partial<NatsTransportOptions> = {}) =>
    openNatsTransport({ ...options(url), ...create, ...more });
  afterAll(() => Promise.all(servers.map((server) => server.remove())));

  test('without JetStream', async () => {
    await expect(opening(await startServer('max_payload: 8MB'))).rejects.toThrow(/no JetStream.*-js/s);
    const account = 'jetstream { store_dir: "FOLDER" }\naccounts { A { users: [ { user: u, password: p } ] } }';
    const url = (await startServer(account)).replace('//', '//u:p@');
    await expect(opening(url)).rejects.toThrow(/no JetStream for this account/);
  });

  test('too small max_payload', async () => {
    await expect(opening(await startServer('jetstream { store_dir: "FOLDER" }\nmax_payload: 64KB'))).rejects.toThrow(
      /at most 65536 bytes; 524288 are needed. Set max_payload: 8MB/,
    );
  });

  test('no room for what is stored', async () => {
    const url = await startServer('jetstream { store_dir: "FOLDER", max_file_store: 3MB }');
    const full = await opening(url);
    await full.blobs.put('run/1', content(1_500_000));
    await expect(full.blobs.put('run/2', content(4_000_000))).rejects.toThrow(/no room.*max_file/s);
    await full.close();
    const limited = await opening(await startServer('jetstream { store_dir: "FOLDER" }'), {
      create: { replicas: 1, maxBytes: 1_000_000 },
    });
    await expect(limited.blobs.put('run/2', content(2_000_000))).rejects.toThrow(
      /run may not store .* set aside no room/,
    );
    await limited.close();
  });

  test('three replicas on one server', async () => {
    const url = await startServer('jetstream { store_dir: "FOLDER" }');
    await expect(opening(url, { create: { replicas: 3 } })).rejects.toThrow(/replicas/);
  });

  test('a run that is not there', async () => {
    const { create: _, ...without } = { ...options(await startServer('jetstream { store_dir: "FOLDER" }')), ...create };
    const lost = await openNatsTransport({ ...without, patience: 300 });
    await expect(lost.blobs.put('w/1', bytes('x'))).rejects.toThrow(/the run is not .*on this server/);
    await lost.close();
  });

  test('a password that is wrong', async () => {
    const url = await startServer('jetstream { store_dir: "FOLDER" }\nauthorization { user: u, password: p }');
    await expect(opening(url.replace('//', '//u:secret@'))).rejects.toThrow(/refused our credential/);
    await expect(opening(url.replace('//', '//u:secret@'))).rejects.not.toThrow(/secret/);
  });

  test('a certificate that is another', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'meanfield-tls-'));
    const { certificate, key } = await makeCertificate(['localhost']);
    await writeFile(join(folder, 'c.pem'), certificate);
    await writeFile(join(folder, 'k.pem'), key);
    const tls = `tls { cert_file: "${folder}/c.pem", key_file: "${folder}/k.pem" }`;
    const url = await startServer(`jetstream { store_dir: "FOLDER" }\n${tls}`);
    const another = (await makeCertificate(['localhost'])).certificate;
    for (const more of [{}, { certificate: another }]) {
      await expect(opening(url, more)).rejects.toThrow(/No trusted TLS connection/);
    }
    await (await opening(url, { certificate })).close();
    await rm(folder, { recursive: true });
  });
});

describe('a server that is none', () => {
  let listener: Server;
  let port: number;
  beforeAll(async () => {
    listener = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    port = (listener.address() as { port: number }).port;
  });
  afterAll(() => listener.close());

  test('is told from one that is away, and from a URL that is wrong', async () => {
    await expect(openNatsTransport(options(`nats://127.0.0.1:${port}`))).rejects.toThrow(/No NATS server answers at/);
    await new Promise((resolve) => listener.close(resolve));
    await expect(openNatsTransport(options(`nats://127.0.0.1:${port}`))).rejects.toThrow(
      /No NATS server answers.*refused.*firewall/s,
    );
    await expect(openNatsTransport(options('http://x'))).rejects.toThrow(/Expected nats:\/\/host:port/);
    await expect(openNatsTransport(options('nats://'))).rejects.toThrow(/Expected/);
  });

  test('is told when it is too old', async () => {
    const info = { server_id: 'x', version: '2.8.4', proto: 1, max_payload: 1_048_576, headers: true };
    const old = createServer((socket) => {
      socket.write(`INFO ${JSON.stringify(info)}\r\n`);
      socket.on('data', (data) => {
        if (String(data).includes('PING')) socket.write('PONG\r\n');
      });
      socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => old.listen(0, '127.0.0.1', resolve));
    const at = (old.address() as { port: number }).port;
    await expect(openNatsTransport(options(`nats://127.0.0.1:${at}`))).rejects.toThrow(
      /version 2\.8\.4.*2\.9\.0 or newer/,
    );
    await new Promise((resolve) => old.close(resolve));
  });
});
