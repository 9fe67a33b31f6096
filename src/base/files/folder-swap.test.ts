import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { currentFolder, removeFolder, repairFolder, writeFolderAtomic } from './folder-swap.js';

let parent: string;
let folder: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'swap-'));
  folder = join(parent, 'model');
});
afterEach(() => rm(parent, { recursive: true }));

const write = (text: string) => writeFolderAtomic(folder, (place) => writeFile(join(place, 'text'), text));
const text = async () => readFile(join((await currentFolder(folder))!, 'text'), 'utf8');

test('a folder is made, then replaced, and nothing stays beside it', async () => {
  expect(await currentFolder(folder)).toBeUndefined();
  await write('one');
  await write('two');
  expect(await text()).toBe('two');
  expect(await readdir(parent)).toEqual(['model']);
});

test('a failure while filling leaves the older folder', async () => {
  await write('one');
  const failing = writeFolderAtomic(folder, async (place) => {
    await writeFile(join(place, 'text'), 'two');
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  expect(await text()).toBe('one');
  expect(await readdir(parent)).toEqual(['model']);
});

test('killed between the renames: readers take the older one, the next writer puts it back and goes on', async () => {
  await write('one');
  await rename(folder, `${folder}.old`);
  await mkdir(`${folder}.tmp`);
  await writeFile(join(`${folder}.tmp`, 'text'), 'two');
  expect(await text()).toBe('one');
  await repairFolder(folder);
  expect(await text()).toBe('one');
  expect(await readdir(parent)).toEqual(['model']);
  await write('three');
  expect(await text()).toBe('three');
});

test('killed after the renames: the newer one stays, the older is deleted', async () => {
  await write('one');
  await mkdir(`${folder}.old`);
  await repairFolder(folder);
  expect(await text()).toBe('one');
  expect(await readdir(parent)).toEqual(['model']);
});

test('a removed folder is gone, with what an earlier removal left', async () => {
  await write('one');
  await mkdir(`${folder}.tmp`);
  await removeFolder(folder);
  expect(await readdir(parent)).toEqual([]);
});
