import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MetricsWriter, truncateMetrics } from './metrics.js';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'metrics-'));
  path = join(folder, 'metrics.jsonl');
});
afterEach(() => rm(folder, { recursive: true }));

const lines = async () => (await readFile(path, 'utf8')).split('\n');

test('events are lines, appended to those of before', async () => {
  for (const step of [1, 2]) {
    const metrics = await MetricsWriter.open(path);
    metrics.append({ type: 'progress', step, loss: 0.1 + step, text: 'a\nb' });
    expect(() => metrics.append({ type: 'evaluation', step, val_loss: Number.NaN })).toThrow('val_loss is NaN');
    await metrics.close();
  }
  expect(await lines()).toEqual([
    '{"type":"progress","step":1,"loss":1.1,"text":"a\\nb"}',
    '{"type":"progress","step":2,"loss":2.1,"text":"a\\nb"}',
    '',
  ]);
});

test('cutting back drops later steps and torn lines, keeps the rest byte for byte', async () => {
  const kept = ['{"type":"start", "n":1e2}', '{"step":1}', '{"step":500,"é":"😀"}', '{"step":"x"}'];
  await writeFile(
    path,
    [kept[0], kept[1], '{"step":501}', kept[2], '\0\0\0', '7', kept[3], '{"step":9e9}', '{"step":4'].join('\n'),
  );
  expect(await truncateMetrics(path, 500)).toBe(5);
  expect(await lines()).toEqual([...kept, '']);
  expect(await truncateMetrics(path, 500)).toBe(0);
  expect(await truncateMetrics(path, -1)).toBe(2);
  expect(await lines()).toEqual([kept[0], kept[3], '']);
  expect(await readdir(folder)).toEqual(['metrics.jsonl']);
});

test('cutting a missing or an empty file does nothing', async () => {
  expect(await truncateMetrics(path, 5)).toBe(0);
  expect(await readdir(folder)).toEqual([]);
  await appendFile(path, '');
  expect(await truncateMetrics(path, 5)).toBe(0);
});
