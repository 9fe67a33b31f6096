import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BlobRef, Transport } from '../transport.js';
import { connectNats } from './connect.js';
import { natsThere, startTestServer, type TestServer } from './server.test-support.js';
import { openNatsTransport } from './transport.js';

const CREDENTIAL = { credential: { kind: 'none' } } as const;

/** Ports that are free now. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

describe.skipIf(!natsThere)('three servers that keep each message (skipped without nats-server)', () => {
  let servers: TestServer[] = [];
  let transport: Transport;

  beforeAll(async () => {
    const routes = await freePorts(3);
    const clients = await freePorts(3);
    const all = routes.map((port) => `"nats://127.0.0.1:${port}"`).join(', ');
    servers = await Promise.all(
      clients.map((port, i) =>
        startTestServer(
          `server_name: n${i}\njetstream { store_dir: "FOLDER/js" }\nmax_payload: 8MB\n` +
            `cluster { name: c, listen: "127.0.0.1:${routes[i]}", routes: [ ${all} ] }`,
          port,
        ),
      ),
    );
    transport = await openNatsTransport({
      ...CREDENTIAL,
      servers: servers.map(({ url }) => url),
      run: 'r',
      name: 'test',
      inbox: '_MF.test',
      create: { replicas: 3 },
    });
    await transport.quotas.grant('w', 1e9);
  });
  afterAll(async () => {
    await transport?.close();
    await Promise.all(servers.map((server) => server.remove()));
  });

  async function leaderOf(stream: string): Promise<TestServer> {
    const connection = await connectNats({
      ...CREDENTIAL,
      servers: servers.map(({ url }) => url),
      name: 'x',
      inbox: '_MF.x',
      pingInterval: 1000,
    });
    const { cluster } = (await connection.request(`$JS.API.STREAM.INFO.${stream}`)).json<{
      cluster: { leader: string };
    }>();
    await connection.close();
    return servers[Number(cluster.leader.slice(1))]!;
  }

  test('the leader is killed while a worker writes: nothing that was acknowledged is lost', async () => {
    const kept: { readonly ref: BlobRef; readonly content: Uint8Array }[] = [];
    let revision = 0;
    let writing = true;
    const write = (async () => {
      for (let i = 0; writing; i++) {
        const content = new Uint8Array(100_000).fill(i);
        kept.push({ ref: await transport.blobs.put(`w/${i}`, content), content });
        revision = await transport.state.set('count', new TextEncoder().encode(String(i)), revision);
      }
    })();
    await expect.poll(() => kept.length).toBeGreaterThan(5);
    const leader = await leaderOf('mf-r@w');
    await leader.kill();
    const atDeath = kept.length;
    await expect.poll(() => kept.length, { timeout: 30_000 }).toBeGreaterThan(atDeath + 5);
    writing = false;
    await write;
    for (const { ref, content } of kept) expect(Buffer.compare(await transport.blobs.get(ref), content)).toBe(0);
    const last = await transport.state.get('count');
    expect(new TextDecoder().decode(last?.value)).toBe(String(kept.length - 1));
    expect(last?.revision).toBe(revision);
    await leader.restart();
  });
});
