import { mkdtemp, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { atOnce, withParts, writeParts } from './parts.js';

const folder = await mkdtemp(join(tmpdir(), 'parts-'));
afterAll(() => rm(folder, { recursive: true }));

const parts = [Uint8Array.of(1, 2, 3), new Uint8Array(0), Uint8Array.of(4)];
const sizes = parts.map(({ length }) => length);
const written = (path: string) =>
  writeParts(path, sizes, async (put) => {
    for (const i of [2, 0, 1]) await put(i, parts[i]!);
  });

it('gives the same parts from memory and from a file, in whatever order they were written', async () => {
  const file = await written(join(folder, 'all'));
  const all = (from: Parameters<typeof withParts>[0]) =>
    withParts(from, (part) => Promise.all([0, 1, 2].map((i) => part(i))));
  expect(await all(file)).toEqual(parts);
  expect(await all(parts)).toEqual(parts);
  await truncate(file.path, 3);
  await expect(all(file)).rejects.toThrow('was cut off');
  await expect(all({ ...file, path: join(folder, 'none') })).rejects.toThrow(/Cannot read .*none.*ENOENT/);
});

it.skipIf(process.platform !== 'linux')(
  'tells of a disk that is full, and of a part that is of another size',
  async () => {
    await expect(written('/dev/full')).rejects.toThrow(/Cannot write \/dev\/full: no disk space left \(ENOSPC\)/);
    const wrong = writeParts(join(folder, 'wrong'), [2], (put) => put(0, Uint8Array.of(1)));
    await expect(wrong).rejects.toThrow('part 0 should have 2 bytes, it has 1');
  },
);

it('has few large parts under way at once, and never none', () => {
  expect([1, 2 ** 24, 2 ** 30].map((bytes) => atOnce([bytes]))).toEqual([8, 4, 1]);
});
