import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sha256 } from '../../base/hash.js';
import { ShardWriter } from './shard-writer.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'meanfield-writer-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('starts a new file exactly at the bound, and hashes what lies on disk', async () => {
  const writer = new ShardWriter(join(folder, 'made'), 'train', 65536, 4);
  await writer.write(Uint32Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  const list = await writer.finish();
  expect(list).toMatchObject({ width: 2, length: 8 });
  expect(list.files.map(({ tokens }) => tokens)).toEqual([4, 4]);
  for (const { name, sha256: hash } of list.files) expect(sha256(readFileSync(join(folder, 'made', name)))).toBe(hash);
});

it('replaces what an earlier attempt left', async () => {
  writeFileSync(join(folder, 'train-00000.bin'), Buffer.alloc(100, 1));
  const writer = new ShardWriter(folder, 'train', 300);
  await writer.write(Uint32Array.of(258));
  await writer.finish();
  expect([...readFileSync(join(folder, 'train-00000.bin'))]).toEqual([2, 1]);
});

it('says when the folder cannot be written', async () => {
  writeFileSync(join(folder, 'file'), '');
  const writer = new ShardWriter(join(folder, 'file', 'x'), 'train', 300);
  await expect(writer.write(Uint32Array.of(1))).rejects.toThrow(/Cannot make the folder .*file is a file/);
  await writer.abandon();
});
