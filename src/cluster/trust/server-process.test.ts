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
    await expect(startServer(folder)).rejects.toThrow(/no nats-server on the PATH. Install it .*apt install.*--nats/s);
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
    expect(first.ports.nats).toBeGreaterThan(0);
    const second = await startServer(folder);
    expect(second).toMatchObject({ found: true, ports: first.ports });
    await configure(`listen: "127.0.0.1:${first.ports.nats}"\nmax_payload: 2MB\n`);
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
});
