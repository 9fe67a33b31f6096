import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { join } from '../join.js';
import { startCluster } from './start-cluster.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(joinPath(tmpdir(), 'meanfield-start-'));
});
afterAll(() => rm(folder, { recursive: true }));

it.each([
  [{ minWorkers: 0 }, '`minWorkers` Too small'],
  [{ port: 70_000 }, '`port` '],
  [{ natsCreds: 'x' }, '`natsCreds` is for a server that runs already: name it with `nats` and its URL.'],
  [{ workers: 3 }, 'Unrecognized key: "workers"'],
])('refuses %j in the words of code, and leaves nothing behind', async (options, message) => {
  const given = { corpus: ['x.txt'], run: joinPath(folder, 'run'), ...options } as never;
  await expect(startCluster(given).result).rejects.toThrow(message);
  expect(await readdir(folder)).toEqual([]);
});

it('a worker is refused options and invitations that are none', async () => {
  await expect(join('mf1.x', { threads: 0 }).result).rejects.toThrow('Cannot join with these options: `threads` ');
  await expect(join('hello').result).rejects.toThrow(/invitation/);
  const reader = async () => {
    for await (const _event of join('hello', { cache: folder }));
  };
  await expect(reader()).rejects.toThrow(/invitation/);
});
