import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sha256 } from '../../base/hash.js';
import { findFiles } from '../corpus/find-files.js';
import { ContentHash, corpusChanged, scanCorpus } from './scan.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'meanfield-scan-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function scan(files: Record<string, string | Uint8Array>, characters = true) {
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  const options = { paths: [folder], validationFraction: 0.25, characters };
  let last = 0;
  const result = await scanCorpus(options, { found: await findFiles(options) }, (bytes) => {
    last = bytes;
  });
  expect(last).toBe(result.statistics.bytes);
  return result;
}

it('finds hash, split and characters of a corpus', async () => {
  const result = await scan({ 'a.txt': 'abba', 'b.txt': 'é\n' });
  expect(result.characters).toEqual([0x0a, 0x61, 0x62, 0xe9]);
  expect(result.split).toEqual({ at: 5 });
  expect(result.statistics).toMatchObject({ files: 2, documents: 2, bytes: 7 });
  const digests = ['abba', 'é\n'].map((text) => Buffer.from(sha256(text), 'hex'));
  expect(result.content).toBe(sha256(Buffer.concat(digests)));
});

it('refuses what is not UTF-8 only where characters are wanted, naming file and offset', async () => {
  const files = { 'a.txt': 'good', 'b.txt': Uint8Array.of(0x61, 0x62, 0xe2, 0x82), 'c.txt': Uint8Array.of(0xac, 0x20) };
  await expect(scan(files)).rejects.toThrow(/Invalid UTF-8.* at byte 2 of .*b\.txt/);
  expect((await scan(files, false)).characters).toBeUndefined();
});

it('ContentHash depends on the documents but not on their pieces', () => {
  const hash = (...pieces: [string, boolean][]) => {
    const content = new ContentHash();
    for (const [text, end] of pieces) content.add({ bytes: Buffer.from(text), source: '', end });
    return content.digest();
  };
  expect(hash(['a', false], ['b', true])).toBe(hash(['ab', true]));
  expect(hash(['a', true], ['b', true])).not.toBe(hash(['ab', true]));
  expect(corpusChanged().message).toMatch(/changed while it was being read/);
});
