import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { namesIn } from './names-in.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-names-'));
});
afterEach(() => rm(folder, { recursive: true }));

it('tells what a folder holds, nothing where it is missing, and the option to change where it is a file', async () => {
  await writeFile(join(folder, 'a'), '');
  expect(await namesIn(folder, 'run')).toEqual(['a']);
  expect(await namesIn(join(folder, 'gone'), 'run')).toEqual([]);
  await expect(namesIn(join(folder, 'a/b'), 'run')).rejects.toThrow(
    /is a file, expected a folder\. Choose another `run`/,
  );
});
