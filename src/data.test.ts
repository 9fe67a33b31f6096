import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadTokenizer, readTexts, trainTokenizer } from './data.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-data-'));
});
afterAll(() => rm(folder, { recursive: true }));

const book = 'the quick brown fox jumps over the lazy dog; ünïcode, too. '.repeat(20);

it.each([
  ['bytes', 257],
  ['chars', new Set(book).size],
  ['bpe', 290],
] as const)('makes %s for texts, which its files give again', async (kind, size) => {
  const tokenizer = await trainTokenizer(kind, [book, book], { vocabularySize: 290 });
  expect(Math.abs(tokenizer.vocabularySize - size)).toBeLessThanOrEqual(1);
  for (const [name, content] of Object.entries(tokenizer.files())) await writeFile(join(folder, name), content);
  const again = await loadTokenizer(folder);
  expect(again.kind).toBe(kind);
  expect([...again.encode(book)]).toEqual([...tokenizer.encode(book)]);
  expect(again.decode(again.encode(book))).toBe(book);
});

it('reads texts of files, one by one', async () => {
  await writeFile(join(folder, 'book.txt'), book);
  await writeFile(join(folder, 'rows.jsonl'), '{"text":"one"}\n{"text":"two ü"}\n');
  const texts: string[] = [];
  for await (const text of readTexts(['book.txt', 'rows.jsonl'].map((name) => join(folder, name)))) texts.push(text);
  expect(texts).toEqual([book, 'one', 'two ü']);
  const tokenizer = await trainTokenizer('chars', readTexts([join(folder, 'rows.jsonl')]));
  expect(tokenizer.vocabularySize).toBe(new Set('onetwo ü').size);
});

it('says what is allowed', async () => {
  await expect(trainTokenizer('words' as never, [])).rejects.toThrow('got "words". Allowed: chars, bytes, bpe.');
  await expect(trainTokenizer('bpe', [], { vocabularySize: 100 })).rejects.toThrow('257 or more, got 100.');
  await expect(trainTokenizer('chars', [])).rejects.toThrow('at least one character');
});
