import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MeanfieldError } from '../errors.js';
import { figuresAsJson, isJsonObject, jsonText } from '../json.js';
import { readJsonFile } from './json-file.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'json-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('what jsonText writes reads back', async () => {
  const value = { b: [1, null, 'é😀'], a: { c: true } };
  await writeFile(join(folder, 'x.json'), jsonText(value));
  expect(await readJsonFile(join(folder, 'x.json'), '')).toEqual(value);
  expect(jsonText({ b: 1, a: [2] })).toBe('{\n  "b": 1,\n  "a": [\n    2\n  ]\n}\n');
});

test.each([
  ['cut', '{"a":'],
  ['empty', ''],
  ['zeros, as a power cut leaves them', '\0\0\0\0'],
  ['no UTF-8', Uint8Array.of(0x22, 0xff, 0x22)],
])('a file that is %s is damaged, with advice', async (_, content) => {
  const path = join(folder, 'bad.json');
  await writeFile(path, content);
  const reading = readJsonFile(path, 'Do this.');
  await expect(reading).rejects.toThrow(MeanfieldError);
  await expect(reading).rejects.toThrow(/bad\.json is damaged: expected JSON.*Do this\.$/s);
});

test('a missing file is named, with advice', async () => {
  await expect(readJsonFile(join(folder, 'none.json'), 'Do this.')).rejects.toThrow(
    /Cannot read .*none\.json.*Do this/,
  );
});

test('only values with named fields are objects', () => {
  expect([{}, { a: 1 }, [], null, 'x', 1, undefined].map(isJsonObject)).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
    false,
  ]);
});

test('a figure that is not finite is an error that names it, and never null', () => {
  for (const figure of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    expect(() => figuresAsJson({ type: 'result', of: [{ loss: figure }] })).toThrow(`The figure loss is ${figure}`);
    expect(() => jsonText({ loss: figure })).toThrow(MeanfieldError);
  }
  expect(figuresAsJson({ loss: null, steps: [1, 0.5] })).toBe('{"loss":null,"steps":[1,0.5]}');
});
