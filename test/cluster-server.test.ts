import { access, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectNats } from '../src/transport/nats/connect.js';
import { natsThere, startTestServer, type TestServer } from '../src/transport/nats/server.test-support.js';
import { openNatsTransport } from '../src/transport/nats/transport.js';
import { OrderGiver } from '../src/transport/orders.js';
import { RunKey } from '../src/transport/signed.js';
import { decodeInvitation } from '../src/transport/trust/invitation.js';
import { coordinate, endLeftovers, resultOf, takePart } from './cluster.js';
import { meanfield, TINY, text, workFolder } from './command.js';

const at = workFolder();
endLeftovers();

describe.skipIf(!natsThere)("a run on someone else's server (skipped without nats-server)", () => {
  let server: TestServer;
  let url: string;

  beforeAll(async () => {
    await writeFile(at('good.txt'), text(20_000));
    server = await startTestServer(
      'jetstream { store_dir: "FOLDER/js" }\nmax_payload: 8MB\nauthorization { user: u, password: p }',
    );
    url = server.url.replace('//', '//u:p@');
  });
  afterAll(() => server?.remove());

  test('workers need a credential, and it is said how', async () => {
    const outcome = await meanfield('cluster', 'start', at('good.txt'), '--run', at('none'), ...TINY, '--nats', url);
    expect(outcome.code).toBe(2);
    expect(outcome.stderr).toMatch(/--nats-signing-key.*--shared-credential/s);
  });

  test('with a shared one the run ends, says what that means, and leaves nothing there', async () => {
    const options = [...TINY, '--nats', url, '--shared-credential', '--min-workers', '2', '--format', 'int8'];
    const coordinator = await coordinate(at('shared'), at('good.txt'), ...options);
    const workers = ['a', 'b'].map((name) => takePart(coordinator.invitation, name, at('cache')));
    const outcome = await coordinator.done;
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.stderr).toMatch(/read, write and delete all that you can/);
    expect(outcome.stderr).not.toContain('u:p@');
    for (const worker of workers) expect((await worker.done).code).toBe(0);
    expect(resultOf(outcome)).toMatchObject({ replicas: 2, interrupted: false });
    const connection = await connectNats({
      ...{ servers: [url], credential: { kind: 'none' }, name: 'look', inbox: '_MF.look', pingInterval: 1000 },
    });
    const { streams } = (await connection.request('$JS.API.STREAM.NAMES')).json<{ streams: string[] | null }>();
    await connection.close();
    expect(streams ?? []).toEqual([]);
  });

  test('who shares the credential can neither stop the run nor evict: orders are signed', async () => {
    const options = [...TINY, '--steps', '1000000', '--eval-every', '1000', '--nats', url, '--shared-credential'];
    const coordinator = await coordinate(at('ordered'), at('good.txt'), ...options);
    const worker = takePart(coordinator.invitation, 'a', at('cache'));
    await coordinator.said('"type":"round"');
    const { run } = decodeInvitation(coordinator.invitation);
    const hostile = await openNatsTransport({
      ...{ servers: [url], credential: { kind: 'none' }, run, name: 'hostile', inbox: '_MF.hostile' },
    });
    const bytes = (content: object) => new TextEncoder().encode(JSON.stringify(content));
    const said = async (what: string, message: Uint8Array) =>
      new TextDecoder().decode(await hostile.control.ask(what, message, 5000));
    const orders = { stop: {}, evict: { worker: 'a-1', reason: 'mine' }, invite: { revoke: 'all' }, status: {} };
    for (const [what, content] of Object.entries(orders)) {
      expect(await said(what, bytes(content))).toMatch(/"done":false.*not by the key/);
      const giver = new OrderGiver(hostile.control, RunKey.make(), run);
      await expect(giver.give(what, content, 5000)).rejects.toThrow(/not signed by this run's coordinator/);
    }
    await hostile.close();
    const status = resultOf(await meanfield('cluster', 'status', at('ordered'), '--json'));
    expect(status).toMatchObject({ phase: expect.not.stringMatching('stopped'), evicted: [] });
    expect(worker.child.exitCode).toBeNull();
    expect((await meanfield('cluster', 'stop', at('ordered'))).code).toBe(0);
    expect((await coordinator.done).code).toBe(130);
  });

  test('a server that is not there is named, without its password', async () => {
    const options = [...TINY, '--nats', 'nats://u:secret@127.0.0.1:1', '--shared-credential'];
    const outcome = await meanfield('cluster', 'start', at('good.txt'), '--run', at('away'), ...options);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(/No NATS server answers at nats:\/\/127\.0\.0\.1:1/);
    expect(outcome.stderr).not.toContain('secret');
  });
});

describe.skipIf(!natsThere)('a start that fails leaves nothing (skipped without nats-server)', () => {
  test.each(['--port', '--metrics-port'])('%s that is taken', async (option) => {
    const other = createServer();
    const port = await new Promise<number>((resolve) => {
      other.listen(0, () => resolve((other.address() as { port: number }).port));
    });
    try {
      await writeFile(at('taken.txt'), text(20_000));
      const before = performance.now();
      const outcome = await meanfield(
        'cluster',
        'start',
        at('taken.txt'),
        '--run',
        at('taken'),
        ...TINY,
        option,
        `${port}`,
      );
      expect(outcome.code).toBe(1);
      expect(outcome.stderr).toContain(option);
      expect(performance.now() - before).toBeLessThan(15_000);
      await expect(access(at('taken'))).rejects.toThrow();
    } finally {
      other.close();
    }
  });

  test('a server that cannot be reached', async () => {
    await writeFile(at('away.txt'), text(20_000));
    const args = [...TINY, '--nats', 'nats://127.0.0.1:1', '--shared-credential'];
    const outcome = await meanfield('cluster', 'start', at('away.txt'), '--run', at('unreached'), ...args);
    expect(outcome.code).toBe(1);
    await expect(access(at('unreached'))).rejects.toThrow();
  });
});
