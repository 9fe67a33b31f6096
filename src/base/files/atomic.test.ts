import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MeanfieldError } from '../errors.js';
import { sha256 } from '../hash.js';
import { asWriteError, LARGEST_TRANSFER, writeFileAtomic, writeFileSynced } from './atomic.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atomic-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function* slowly(...texts: string[]) {
  for (const text of texts) yield new TextEncoder().encode(text);
}

describe('writeFileAtomic', () => {
  test('makes the folder, replaces the file and leaves nothing beside it', async () => {
    const path = join(folder, 'a/b/file');
    await writeFileAtomic(path, 'old');
    const written = await writeFileAtomic(path, slowly('né', 'w'));
    expect(await readFile(path, 'utf8')).toBe('néw');
    expect(written).toEqual({ bytes: 4, sha256: sha256('néw') });
    expect(await readdir(join(folder, 'a/b'))).toEqual(['file']);
  });

  test('of many writers at once one wins, and the file is never a mixture', async () => {
    const path = join(folder, 'many/file');
    const texts = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(100_000));
    await Promise.all(texts.map((text) => writeFileAtomic(path, text)));
    expect(texts).toContain(await readFile(path, 'utf8'));
    expect(await readdir(join(folder, 'many'))).toEqual(['file']);
  });

  test('a failure in the middle leaves the old file and no temporary one', async () => {
    const path = join(folder, 'kept');
    await writeFileAtomic(path, 'old');
    const failing = writeFileAtomic(
      path,
      (function* () {
        yield Uint8Array.of(1);
        throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      })(),
    );
    await expect(failing).rejects.toThrow(/Cannot write .*kept: no disk space left .*unharmed; free some space/);
    expect(await readFile(path, 'utf8')).toBe('old');
    expect((await readdir(folder)).filter((name) => name.startsWith('kept'))).toEqual(['kept']);
  });

  test('a path through a file names the cause', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(writeFileAtomic(join(folder, 'file/x'), '')).rejects.toThrow(
      /Cannot make the folder .*file: .*file is a file/,
    );
  });

  test.skipIf(process.getuid?.() === 0)('a folder without permission names the cause', async () => {
    await chmod(folder, 0o500);
    await expect(writeFileAtomic(join(folder, 'x'), '')).rejects.toThrow(/Cannot write .*permissions/);
    await chmod(folder, 0o700);
  });
});

test('a secret is for its owner alone from the first byte on', async () => {
  const path = join(folder, 'secret');
  const modes: number[] = [];
  const content = async function* () {
    for (let i = 0; i < 2; i++) {
      const [name] = (await readdir(folder)).filter((file) => file.startsWith('secret.'));
      modes.push((await stat(join(folder, name!))).mode & 0o777);
      yield Uint8Array.of(i);
    }
  };
  await writeFileAtomic(path, content(), { secret: true });
  expect(modes).toEqual([0o600, 0o600]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('a link that someone has put under the name is not written through', async () => {
  await writeFile(join(folder, 'victim'), 'as it was');
  await symlink(join(folder, 'victim'), join(folder, 'planted'));
  await expect(writeFileSynced(join(folder, 'planted'), 'x')).rejects.toThrow(/EEXIST/);
  expect(await readFile(join(folder, 'victim'), 'utf8')).toBe('as it was');
});

test('writeFileSynced passes pieces larger than one transfer, and empty ones', async () => {
  const large = new Uint8Array(LARGEST_TRANSFER + 5).map((_, i) => i * 31);
  const path = join(folder, 'large');
  const written = await writeFileSynced(path, [new Uint8Array(0), large, Uint8Array.of(7)]);
  const content = await readFile(path);
  expect(content.length).toBe(large.length + 1);
  expect(written).toEqual({ bytes: large.length + 1, sha256: sha256(content) });
  expect(sha256(content.subarray(0, -1))).toBe(sha256(large));
});

test('errors that are no one’s fault pass unchanged', () => {
  const other = new Error('other');
  expect(asWriteError(other, 'p')).toBe(other);
  expect(asWriteError(undefined, 'p')).toBeUndefined();
  expect(asWriteError({ code: 'EDQUOT' }, 'p')).toBeInstanceOf(MeanfieldError);
});
