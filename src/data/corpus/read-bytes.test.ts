import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readBytes } from './read-bytes.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'meanfield-bytes-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function readAll(name: string, content: Uint8Array): Promise<{ bytes: Buffer; pieces: number }> {
  writeFileSync(join(folder, name), content);
  const pieces: Uint8Array[] = [];
  for await (const piece of readBytes(join(folder, name))) pieces.push(piece);
  return { bytes: Buffer.concat(pieces), pieces: pieces.length };
}

const large = Buffer.alloc(1_000_000, 'some text that repeats. ');

it('reads in pieces, and unpacks gzip, also of several parts', async () => {
  const plain = await readAll('a.txt', large);
  expect(plain.bytes.equals(large)).toBe(true);
  expect(plain.pieces).toBeGreaterThan(2);
  const packed = await readAll('a.txt.gz', gzipSync(large));
  expect(packed.bytes.equals(large)).toBe(true);
  expect(packed.pieces).toBeGreaterThan(2);
  const two = Buffer.concat([gzipSync('one '), gzipSync('two')]);
  expect((await readAll('b.gz', two)).bytes.toString()).toBe('one two');
});

it('refuses damaged gzip', async () => {
  const packed = gzipSync(large);
  await expect(readAll('cut.gz', packed.subarray(0, -20))).rejects.toThrow(/cut\.gz is not a whole gzip file/);
  await expect(readAll('not.gz', Buffer.from('not gzip at all'))).rejects.toThrow(/not\.gz is not a whole gzip file/);
  const flipped = Buffer.from(packed);
  flipped[flipped.length - 6]! ^= 0xff;
  await expect(readAll('flip.gz', flipped)).rejects.toThrow(/flip\.gz is not a whole gzip file/);
});

it('says which file cannot be read', async () => {
  const reading = readBytes(join(folder, 'none.txt')).next();
  await expect(reading).rejects.toThrow(/Cannot read .*none\.txt/);
});

it('can be left in the middle', async () => {
  writeFileSync(join(folder, 'left.txt.gz'), gzipSync(large));
  for await (const piece of readBytes(join(folder, 'left.txt.gz'))) {
    expect(piece.length).toBeGreaterThan(0);
    break;
  }
});
