import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readProgress } from './run-progress.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-progress-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('the last losses and the best are found', async () => {
  const path = join(folder, 'metrics.jsonl');
  const events = [
    { type: 'notice', message: 'x' },
    { type: 'progress', step: 25, loss: 3.5, tokens: 19_200 },
    { type: 'evaluation', step: 50, val_loss: 3 },
    { type: 'evaluation', step: 100, val_loss: 2.5 },
    { type: 'progress', step: 150, loss: 2.4, tokens: 115_200 },
    { type: 'evaluation', step: 150, val_loss: 2.6 },
    { type: 'evaluation', step: 200, val_loss: null },
  ];
  await writeFile(path, events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  expect(await readProgress(path)).toEqual({
    step: 200,
    tokens: 115_200,
    train_loss: 2.4,
    val_loss: 2.6,
    best_val_loss: 2.5,
    best_step: 100,
  });
});

test('strange and torn lines are passed over', async () => {
  const path = join(folder, 'torn.jsonl');
  await writeFile(
    path,
    '\u0000\n[1]\n"text"\n{"type":"progress","step":"many","loss":"low"}\n{"type":"progress","step":7',
  );
  expect(await readProgress(path)).toMatchObject({ step: 0, train_loss: null });
});

test('a run that has done nothing yet has no file', async () => {
  expect(await readProgress(join(folder, 'missing'))).toMatchObject({ step: 0, tokens: 0, best_val_loss: null });
});

test("of a model of one's own samples are counted", async () => {
  const path = join(folder, 'own.jsonl');
  await writeFile(path, '{"type":"progress","step":10,"samples":640,"loss":1}\n');
  const progress = await readProgress(path);
  expect(progress).toMatchObject({ step: 10, samples: 640, train_loss: 1 });
  expect(progress).not.toHaveProperty('tokens');
});
