import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pathFault } from './path-fault.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fault-'));
  await writeFile(join(folder, 'file'), 'x');
  await mkdir(join(folder, 'folder'));
  await symlink(join(folder, 'gone'), join(folder, 'link'));
  await symlink(join(folder, 'loop'), join(folder, 'loop'));
});
afterAll(() => rm(folder, { recursive: true }));

test('nothing is wrong with what can be read', async () => {
  expect(await pathFault(join(folder, 'file'), 'file')).toBeUndefined();
  expect(await pathFault(join(folder, 'folder'), 'folder')).toBeUndefined();
});

test.each([
  ['none', 'file', 'there is no such file'],
  ['none', 'folder', 'there is no such folder'],
  ['folder', 'file', 'it is a folder, not a file'],
  ['file', 'folder', 'it is a file, not a folder'],
  ['file/inside', 'file', 'a part of the path is a file, not a folder'],
  ['link', 'file', /it is a link to .*gone, which is missing/],
  ['loop', 'file', 'it is a link that leads back to itself'],
  ['a'.repeat(300), 'folder', 'the name is too long: a part of it has 300 bytes, and file systems take 255 at most'],
  ['a\0b', 'file', 'its name holds a zero byte'],
] as const)('%s as a %s is told', async (name, wanted, message) => {
  const fault = await pathFault(join(folder, name), wanted);
  if (typeof message === 'string') expect(fault).toBe(message);
  else expect(fault).toMatch(message);
});

test.skipIf(process.platform === 'win32')('a device is no file', async () => {
  expect(await pathFault('/dev/null', 'file')).toBe('it is a device, a pipe or a socket');
});

test.skipIf(process.platform === 'win32' || process.getuid?.() === 0)('permission is told', async () => {
  await writeFile(join(folder, 'closed'), 'x');
  await chmod(join(folder, 'closed'), 0);
  expect(await pathFault(join(folder, 'closed'), 'file')).toMatch(/there is no permission to read it/);
});
