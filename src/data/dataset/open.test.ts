import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openDataset } from './open.js';
import { prepareDataset } from './prepare.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'meanfield-open-'));
  writeFileSync(join(folder, 'a.txt'), 'hello world '.repeat(20));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('opens what was prepared', async () => {
  const data = join(folder, 'data');
  const made = await prepareDataset({ paths: [join(folder, 'a.txt')], tokenizer: 'chars', folder: data });
  const opened = await openDataset(data);
  expect(opened.tokenizer.decode(opened.train.read(0, 11))).toBe('hello world');
  expect([opened.train.length, opened.validation.length]).toEqual([216, 24]);
  expect([opened.fingerprint, opened.statistics]).toEqual([made.fingerprint, made.statistics]);

  const path = join(data, 'tokenizer.json');
  writeFileSync(path, readFileSync(path, 'utf8').replace('"h"', '"H"'));
  await expect(openDataset(data)).rejects.toThrow(/tokenizer\.json is not the file that dataset\.json beside it names/);
});

it('refuses a folder that holds none', async () => {
  await expect(openDataset(folder)).rejects.toThrow(
    /holds no prepared data: .*dataset\.json cannot be used \(it is missing\)/,
  );
});
