import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MANIFEST, readManifest } from './manifest.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'meanfield-manifest-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const hash = '0'.repeat(64);
const good = {
  format: 'meanfield-dataset',
  settings: { version: 1, field: 'text', tokenizer: 'bpe', vocabularySize: 300, validationFraction: 0.1 },
  content: hash,
  fingerprint: hash,
  inputs: [{ path: '/a', size: 3, modified: 1.5 }],
  statistics: {
    files: 1,
    documents: 1,
    bytes: 3,
    empty: 0,
    skippedBinary: 0,
    skippedBinaryFiles: [],
    skippedOther: 0,
    skippedLinks: 0,
    skippedLinkFiles: [],
    skippedRuns: [],
    remarks: [],
  },
  tokenizerFiles: { 'tokenizer.json': hash, 'tokenizer_config.json': hash },
  train: { width: 2, length: 0, files: [] },
  validation: { width: 2, length: 0, files: [] },
};

it('reads what it is', async () => {
  writeFileSync(join(folder, MANIFEST), JSON.stringify(good));
  expect(await readManifest(folder)).toEqual({ manifest: good });
});

it.each([
  ['nothing', undefined, 'it is missing'],
  ['half of it', JSON.stringify(good).slice(0, 100), 'it is not JSON'],
  ['another version', JSON.stringify({ ...good, settings: { ...good.settings, version: 2 } }), 'version'],
  ['another format', JSON.stringify({ ...good, format: 'x' }), 'format'],
  [
    'a path in a file name',
    JSON.stringify({
      ...good,
      train: { width: 2, length: 1, files: [{ name: '../../x-0.bin', tokens: 1, sha256: hash }] },
    }),
    'name',
  ],
  ['null', 'null', 'expected object'],
])('does not believe %s', async (_, text, reason) => {
  if (text !== undefined) writeFileSync(join(folder, MANIFEST), text);
  const read = await readManifest(folder);
  expect(read.manifest).toBeUndefined();
  expect('reason' in read && read.reason).toContain(reason);
});
