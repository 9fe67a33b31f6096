import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { EvaluationEvent } from './events.js';
import { Recorder } from './recorder.js';
import { runPaths } from './run-folder.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-recorder-'));
});
afterEach(() => rm(folder, { recursive: true }));

const lines = async () =>
  (await readFile(runPaths(folder).metrics, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

it('writes what happens to both files and tells of it', async () => {
  interface Opened {
    readonly type: 'opened';
    readonly step: number;
    readonly theDoor: string;
  }
  const told: (Opened | { readonly type: string })[] = [];
  const recorder = await Recorder.open<Opened>(runPaths(folder), undefined, (event) => told.push(event));
  recorder.evaluation(20, 1.5, { bitsPerByte: 2 });
  recorder.write({ type: 'opened', step: 30, theDoor: 'left' }, { doors: 1 }, { more: [1] });
  recorder.scalars(40, { doors: 2 });
  recorder.tell({ type: 'opened', step: 50, theDoor: 'right' });
  await recorder.sync();
  await recorder.close();
  expect(await lines()).toEqual([
    { type: 'evaluation', step: 20, val_loss: 1.5, bits_per_byte: 2 },
    { type: 'opened', step: 30, the_door: 'left', more: [1] },
  ]);
  expect(told).toEqual([
    { type: 'evaluation', step: 20, valLoss: 1.5, bitsPerByte: 2 },
    { type: 'opened', step: 30, theDoor: 'left' },
    { type: 'opened', step: 50, theDoor: 'right' },
  ]);
  const [board, ...others] = (await readdir(folder)).filter((name) => name.startsWith('events.out.tfevents'));
  expect(others).toEqual([]);
  const bytes = (await readFile(join(folder, board!))).toString('latin1');
  for (const name of ['loss/validation', 'bits per byte/validation', 'doors']) expect(bytes).toContain(name);
});

it.each([
  [20, [10, 20, 40]],
  [0, [40]],
])('goes on from step %i', async (resumedAt, kept) => {
  const old = [10, 20, 30].map((step) => `${JSON.stringify({ type: 'evaluation', step, valLoss: 1 })}\n`);
  await writeFile(runPaths(folder).metrics, `${old.join('')}{"type":"prog`);
  const told: EvaluationEvent[] = [];
  const recorder = await Recorder.open<never>(runPaths(folder), resumedAt, (event) =>
    told.push(event as EvaluationEvent),
  );
  recorder.evaluation(40, 1);
  await recorder.close();
  expect((await lines()).map(({ step }) => step)).toEqual(kept);
  expect(told.map(({ step }) => step)).toEqual([40]);
});
