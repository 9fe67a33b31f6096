import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sha256, sha256File } from './hash.js';

test('FIPS 180-4 examples, from memory and from a file', async () => {
  expect(sha256('')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  expect(sha256('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  const folder = await mkdtemp(join(tmpdir(), 'hash-'));
  await writeFile(join(folder, 'million'), 'a'.repeat(1e6));
  expect(await sha256File(join(folder, 'million'))).toBe(
    'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0',
  );
  await expect(sha256File(join(folder, 'none'))).rejects.toThrow(/ENOENT/);
  await rm(folder, { recursive: true });
});
