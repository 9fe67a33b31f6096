import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { loadRunKey, readRunKey } from './run-key.js';

const folder = await mkdtemp(join(tmpdir(), 'meanfield-key-'));
afterAll(() => rm(folder, { recursive: true }));

it('makes a key once, for the owner alone, and calls a damaged one so', async () => {
  const key = await loadRunKey(folder);
  const again = await loadRunKey(folder);
  expect(again.public).toBe(key.public);
  expect([key.isNew, again.isNew]).toEqual([true, false]);
  const path = join(folder, 'nats', 'run-key.pem');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await stat(join(folder, 'nats'))).mode & 0o777).toBe(0o700);
  await writeFile(path, (await readFile(path, 'utf8')).slice(0, 60));
  await expect(loadRunKey(folder)).rejects.toThrow('run-key.pem is damaged');
});

it('makes none for whoever gives orders', async () => {
  const other = join(folder, 'other');
  await expect(readRunKey(other)).rejects.toThrow(/run-key\.pem is not there.*copy the file/);
  const key = await loadRunKey(other);
  expect((await readRunKey(other)).public).toBe(key.public);
});
