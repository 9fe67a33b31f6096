import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { exists } from './exists.js';

test('files and folders exist, links to nothing do not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'meanfield-exists-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [file, link] = [join(folder, 'file'), join(folder, 'link')];
  await symlink(file, link);
  expect(await Promise.all([folder, file, link].map(exists))).toEqual([true, false, false]);
  await writeFile(file, '');
  expect(await Promise.all([file, link].map(exists))).toEqual([true, true]);
});
