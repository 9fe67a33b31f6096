import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeInPlace } from './place.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-place-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A process that was there and is no more. */
const dead = spawnSync(process.execPath, ['-e', '']).pid;

const write = (content: string) => (path: string) => writeFile(join(path, 'model'), content);
const there = async () => (await readdir(folder)).sort();
const content = (place: string) => readFile(join(folder, place, 'model'), 'utf8');

/** The name under which this process writes, as another process would have it. */
async function nameOf(place: string, pid: number): Promise<string> {
  let name = '';
  const fails = writeInPlace(join(folder, place), false, async (path) => {
    name = path;
    throw new Error('stop');
  });
  await expect(fails).rejects.toThrow('stop');
  expect(name).toContain(`-${process.pid}-`);
  return name.replace(`-${process.pid}-`, `-${pid}-`);
}

it('clears away what a killed export left, and nothing of a living one or of others', async () => {
  const left = await nameOf('book-hf', dead);
  const living = await nameOf('book-hf', process.ppid);
  const elsewhere = left.replace(/\.[0-9a-f]{8}-/, '.00000000-');
  const kept = ['book-hf.tmp', 'book-hf.notes', 'other-hf'].map((name) => join(folder, name));
  for (const path of [left, living, elsewhere, ...kept]) await mkdir(path);
  await writeInPlace(join(folder, 'book-hf'), false, write('new'));
  const expected = ['book-hf', ...[living, elsewhere, ...kept].map((path) => path.slice(folder.length + 1))];
  expect(await there()).toEqual(expected.sort());
  for (const path of [living, elsewhere, ...kept]) await rm(path, { recursive: true });
});

it('puts an earlier export back that was set aside by one that was killed', async () => {
  const place = join(folder, 'book-hf');
  const left = await nameOf('book-hf', dead);
  await rename(place, `${left}.old`);
  await mkdir(left);
  const fails = writeInPlace(place, false, async () => {
    // As long as the new one is not whole, the earlier one can be read.
    expect(await content('book-hf')).toBe('new');
    throw new Error('the disk is full');
  });
  await expect(fails).rejects.toThrow('the disk is full');
  expect(await there()).toEqual(['book-hf']);
  await writeInPlace(place, false, write('newer'));
  expect(await content('book-hf')).toBe('newer');
  expect(await there()).toEqual(['book-hf']);
});
