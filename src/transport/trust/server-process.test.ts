import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { natsThere } from '../nats/server.test-support.js';
import { startServer } from './server-process.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-process-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const configure = (text: string) => writeFile(join(folder, 'server.conf'), text);

test('without the program it says how to install one', async () => {
  const path = process.env.PATH;
  process.env.PATH = folder;
  try {
    await expect(startServer(folder)).rejects.toThrow(/no nats-server on the PATH. Install it .*apt install.*`nats`/s);
  } finally {
    process.env.PATH = path;
  }
});

describe.skipIf(!natsThere)('our server (skipped without nats-server)', () => {
  test('that does not start says why', async () => {
    await configure('listen: "127.0.0.1:-1"\nnonsense_here: 7\n');
    await expect(startServer(folder)).rejects.toThrow(/does not start: .*nonsense_here/);
    await expect(readFile(join(folder, 'server.json'))).rejects.toThrow();
  });

  test('is found again, reads its configuration anew, refuses nonsense, and ends', async () => {
    await configure('listen: "127.0.0.1:-1"\n');
    const first = await startServer(folder);
    expect(first.found).toBe(false);
    expect(first.port).toBeGreaterThan(0);
    const second = await startServer(folder);
    expect(second).toMatchObject({ found: true, port: first.port });
    await configure(`listen: "127.0.0.1:${first.port}"\nmax_payload: 2MB\n`);
    await second.reload();
    await configure('nonsense_here: 7');
    await expect(second.reload()).rejects.toThrow(/refuses its configuration: .*nonsense_here/);
    await first.stop();
    await expect(second.reload()).rejects.toThrow(/has ended/);
    await configure('listen: "127.0.0.1:-1"\n');
    const third = await startServer(folder);
    expect(third.found).toBe(false);
    await third.stop();
  });

  test('that was killed is started again, at the same port, by one of those who notice; not after its end', async () => {
    await configure('listen: "127.0.0.1:-1"\n');
    const server = await startServer(folder);
    await configure(`listen: "127.0.0.1:${server.port}"\n`);
    expect(await server.revive()).toBe(false);
    const pid = async () => JSON.parse(await readFile(join(folder, 'server.json'), 'utf8')).pid as number;
    const old = await pid();
    process.kill(old, 'SIGKILL');
    await expect.poll(() => server.revive()).toBe(true);
    expect(await pid()).not.toBe(old);
    process.kill(await pid(), 'SIGKILL');
    await expect.poll(() => Promise.all([server.revive(), server.revive()])).toEqual([true, true]);
    await server.reload();
    expect(await startServer(folder)).toMatchObject({ found: true, port: server.port });
    await server.stop();
    expect(await server.revive()).toBe(false);
  });
});
