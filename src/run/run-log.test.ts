import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runPaths } from './run-folder.js';
import { RunLog } from './run-log.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-log-'));
});
afterEach(() => rm(folder, { recursive: true }));

const steps = async () =>
  (await readFile(runPaths(folder).metrics, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).step);

it('writes an evaluation to both files and gives the event back', async () => {
  const log = await RunLog.open(runPaths(folder), undefined);
  expect(log.evaluation(20, 1.5)).toEqual({ type: 'evaluation', step: 20, valLoss: 1.5 });
  await log.sync();
  await log.close();
  expect(await steps()).toEqual([20]);
  expect((await readdir(folder)).filter((name) => name.startsWith('events.out.tfevents'))).toHaveLength(1);
});

it.each([
  [20, [10, 20, 40]],
  [0, [40]],
])('goes on from step %i', async (resumedAt, kept) => {
  const lines = [10, 20, 30].map((step) => `${JSON.stringify({ type: 'evaluation', step, valLoss: 1 })}\n`);
  await writeFile(runPaths(folder).metrics, lines.join(''));
  const log = await RunLog.open(runPaths(folder), resumedAt);
  log.evaluation(40, 1);
  await log.close();
  expect(await steps()).toEqual(kept);
});
