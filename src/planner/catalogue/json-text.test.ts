import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { UsageError } from '../../base/errors.js';
import { looksLikeFile, parseUserJson, readUserJson } from './json-text.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'catalogue-'));
});
afterAll(() => rm(folder, { recursive: true }));

const bytes = (text: string) => new TextEncoder().encode(text);

test('names that are meant as files', () => {
  expect(['my.json', 'a/b', 'C:\\x.JSON', './h100'].map(looksLikeFile)).toEqual([true, true, true, true]);
  expect(['h100', '64xh100', 'json', 'gpt2-1.5b'].map(looksLikeFile)).toEqual([false, false, false, false]);
});

test('reads a file', async () => {
  const path = join(folder, 'x.json');
  await writeFile(path, '{"a": [1, "é"]}');
  expect(await readUserJson(path, 'a cluster file')).toEqual({ a: [1, 'é'] });
});

test.each([
  ['half a text', '{"a": 1', /is no JSON/],
  ['a key twice', '{"a": {"b": 1, "b": 2}}', /has the key "b" twice/],
  ['NaN', '{"a": NaN}', /is no JSON/],
])('refuses %s', (_, text, message) => {
  expect(() => parseUserJson(bytes(text), 'x.json')).toThrow(message);
  expect(() => parseUserJson(bytes(text), 'x.json')).toThrow(UsageError);
});

test('refuses bytes that are no text, and survives nesting', () => {
  expect(() => parseUserJson(Uint8Array.of(0x22, 0xff, 0x22), 'x.json')).toThrow(/is no JSON/);
  const deep = parseUserJson(bytes('['.repeat(5000) + ']'.repeat(5000)), 'x.json');
  expect(Array.isArray(deep)).toBe(true);
});

test('refuses files that are missing, folders, and files too large to be a description', async () => {
  await expect(readUserJson(join(folder, 'none.json'), 'a cluster file')).rejects.toThrow(
    /Cannot read .*none.json: there is no such file\. Expected a cluster file/,
  );
  await expect(readUserJson(folder, 'a cluster file')).rejects.toThrow(
    /it is a folder, not a file\. Expected a cluster file\. Name the file in it/,
  );
  const large = join(folder, 'large.json');
  await writeFile(large, '');
  await truncate(large, 2 ** 21);
  await expect(readUserJson(large, 'a cluster file')).rejects.toThrow(/has 2097152 bytes; a cluster file has at most/);
});
