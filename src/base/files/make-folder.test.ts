import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MeanfieldError } from '../errors.js';
import { makeFolder } from './make-folder.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'meanfield-folder-'));
});
afterEach(() => rm(root, { recursive: true }));

test('makes what is missing and tells the topmost; what is there stays', async () => {
  expect(await makeFolder(join(root, 'a/b/c'))).toBe(join(root, 'a'));
  expect(await makeFolder(join(root, 'a/b/d'), 0o700)).toBe(join(root, 'a/b/d'));
  expect((await stat(join(root, 'a/b/d'))).mode & 0o777).toBe(0o700);
  expect(await makeFolder(join(root, 'a/b/c'))).toBeUndefined();
});

test('many at once make one', async () => {
  const made = await Promise.all(Array.from({ length: 20 }, () => makeFolder(join(root, 'x/y/z'))));
  expect(made.some((top) => top === join(root, 'x'))).toBe(true);
  expect((await stat(join(root, 'x/y/z'))).isDirectory()).toBe(true);
});

test.each([
  ['below a file', 'file/x/y', /file is a file/],
  ['a file itself', 'file', /file is a file/],
  ['a link that leads nowhere', 'nowhere', /no folder, or a link that leads nowhere/],
  ['a link to itself', 'loop/x', /ELOOP/],
  ['a name of 300 letters', 'n'.repeat(300), /too long \(ENAMETOOLONG\).*255 bytes/],
])('says what is in the way: %s', async (_name, path, reason) => {
  await writeFile(join(root, 'file'), '');
  await symlink(join(root, 'gone/too'), join(root, 'nowhere'));
  await symlink(join(root, 'loop'), join(root, 'loop'));
  const failing = makeFolder(join(root, path));
  await expect(failing).rejects.toThrow(MeanfieldError);
  await expect(failing).rejects.toThrow(reason);
});

test.skipIf(process.platform !== 'linux')('ends where the system makes no folders', async () => {
  await expect(makeFolder('/proc/meanfield/x/y')).rejects.toThrow(/The system makes no folders there/);
});
