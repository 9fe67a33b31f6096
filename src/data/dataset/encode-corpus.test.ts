import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findFiles } from '../corpus/find-files.js';
import { TokenShards } from '../shards/token-shards.js';
import { encodeCorpus } from './encode-corpus.js';
import { scanCorpus } from './scan.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'meanfield-encode-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

// Larger than a batch, so that batches of both parts take turns.
const rows = Array.from({ length: 400 }, (_, i) => `<${i}>${` word${i % 13}`.repeat(2000)}`);

async function encode(tokenizer: 'bytes' | 'bpe', workers: number, shardTokens = 100_000) {
  const path = join(folder, 'a.jsonl');
  writeFileSync(path, rows.map((text) => `${JSON.stringify({ text })}\n`).join(''));
  const corpus = { paths: [path], validationFraction: 0.2, characters: false };
  const found = await findFiles(corpus);
  const scan = await scanCorpus(corpus, { found }, () => {});
  const out = join(folder, `${tokenizer}${workers}`);
  const options = {
    folder: out,
    tokenizer,
    vocabularySize: 300,
    mask: false,
    minFrequency: 1,
    workers,
    shardTokens,
    onProgress: undefined,
  };
  const made = await encodeCorpus(corpus, scan, { found }, options);
  const decode = (list: typeof made.train) => {
    const shards = new TokenShards(out, list);
    return made.tokenizer.decode(shards.read(0, shards.length));
  };
  return { ...made, texts: [decode(made.train), decode(made.validation)] };
}

it('keeps the order of documents in both parts, over many batches, files and threads', async () => {
  const bytes = await encode('bytes', 0);
  const numbers = bytes.texts.map((text) => Array.from(text.matchAll(/<(\d+)>/g), ([, number]) => Number(number)));
  for (const part of numbers) expect(part).toEqual([...part].sort((a, b) => a - b));
  expect(numbers[1]!.length).toBeGreaterThan(40);
  expect(bytes.texts).toEqual(numbers.map((part) => part.map((number) => rows[number]).join('')));
  expect(bytes.train.files.length).toBe(Math.ceil(bytes.train.length / 100_000));

  const bpe = await encode('bpe', 2);
  expect(bpe.texts).toEqual(numbers.map((part) => part.map((number) => rows[number]).join('<|endoftext|>')));
  const alone = await encode('bpe', 0);
  expect([alone.train, alone.validation]).toEqual([bpe.train, bpe.validation]);
});
