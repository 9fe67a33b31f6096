import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type RunConnection, readConnection, writeConnection } from './connection-file.js';

const folder = await mkdtemp(join(tmpdir(), 'meanfield-connection-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const connection: RunConnection = {
  run: 'abc',
  servers: ['tls://h:4222'],
  credential: { kind: 'nkey', seed: 'SU' },
  inbox: '_MF.x',
};

test('what is kept comes back, and is the owner’s alone', async () => {
  await writeConnection(folder, connection);
  expect(await readConnection(folder)).toEqual(connection);
  expect((await stat(join(folder, 'nats'))).mode & 0o77).toBe(0);
});

test('a folder without it, and a damaged one, are refused with what to do', async () => {
  await expect(readConnection(join(folder, 'none'))).rejects.toThrow(/no run between machines.*Name the run's folder/s);
  for (const damaged of ['', '{', 'null', '{}', JSON.stringify({ ...connection, run: 'a.b' }), '\u0000\u00ff']) {
    await writeFile(join(folder, 'nats', 'connection.json'), damaged);
    await expect(readConnection(folder)).rejects.toThrow(/connection\.json is damaged. Start the coordinator again/);
  }
});
