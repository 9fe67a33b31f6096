import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BatchedFile } from './batched-file.js';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'batched-'));
  path = join(folder, 'file');
});
afterEach(() => rm(folder, { recursive: true }));

const text = () => readFile(path, 'utf8');

test('a batch is written when it is old, large or asked for, in order', async () => {
  let now = 0;
  const file = await BatchedFile.open(path, 'a', () => now);
  file.append(Buffer.from('a'));
  expect(await text()).toBe('');
  now = 1000;
  file.append(Buffer.from('b'));
  await expect.poll(text).toBe('ab');
  file.append(Buffer.from('c'.repeat(70_000)));
  await expect.poll(async () => (await text()).length).toBe(70_002);
  file.append(Buffer.from('d'));
  await file.sync();
  expect((await text()).slice(-2)).toBe('cd');
  file.append(Buffer.from('e'));
  await file.close();
  expect((await text()).slice(-2)).toBe('de');
});

test('a file that must be new is refused when it is there; one that goes on keeps its bytes', async () => {
  const first = await BatchedFile.open(path, 'wx', Date.now);
  first.append(Buffer.from('1'));
  await first.close();
  await expect(BatchedFile.open(path, 'wx', Date.now)).rejects.toThrow(/EEXIST/);
  const second = await BatchedFile.open(path, 'a', Date.now);
  second.append(Buffer.from('2'));
  await second.close();
  expect(await text()).toBe('12');
});

test.skipIf(process.platform !== 'linux')('a full disk is told at the next flush and the next piece', async () => {
  const file = await BatchedFile.open('/dev/full', 'a', Date.now);
  file.append(Buffer.from('a'));
  await expect(file.flush()).rejects.toThrow(/Cannot write \/dev\/full: no disk space left/);
  expect(() => file.append(Buffer.from('b'))).toThrow(/no disk space left/);
  await expect(file.close()).rejects.toThrow(/no disk space left/);
});

test('a folder that is missing is told', async () => {
  await expect(BatchedFile.open(join(folder, 'none/file'), 'a', Date.now)).rejects.toThrow(/ENOENT/);
});
