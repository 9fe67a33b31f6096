import { expect, test } from 'vitest';
import type { ProgressEvent } from '../cluster/events.js';
import { testOutput } from './test-output.js';
import { progressText, startedText, TrainProgress } from './train-progress.js';

const progress: ProgressEvent = {
  type: 'progress',
  step: 500,
  total_steps: 2000,
  round: 20,
  loss: 1.98765,
  lr: 0.003,
  tokens: 384_000,
  tokens_per_second: 52_345,
  eta_seconds: 65,
};

const text = 'step 500/2,000  loss 1.988  val 2.100  52.3k tokens/s  1 min 5 s left';

test('a line says how far a run is', () => {
  expect(progressText(progress, 2.1, 0)).toBe(text);
  expect(progressText(progress, undefined, 0)).toBe(text.replace('2.100', '-'));
});

test.each([
  [200, '██████░░░░░░░░░░░░░░░░░░ '],
  [text.length + 10, '██░░░░░░ '],
  [text.length + 7, ''],
  [20, ''],
])('a terminal of %i columns has a bar that fits', (columns, bar) => {
  expect(progressText(progress, 2.1, columns)).toBe(bar + text);
});

test('a run that knows no end draws an empty bar', () => {
  const endless = progressText({ ...progress, total_steps: 0, eta_seconds: Number.NaN }, 2.1, 200);
  expect(endless).toContain('░'.repeat(24));
  expect(endless).toContain('unknown left');
});

test('the start names sizes and where it goes on', () => {
  const started = {
    type: 'started',
    run: 'runs/a',
    step: 250,
    parameters: 810_000,
    replicas: 2,
    threads: 1,
    vocabulary: 65,
    trainTokens: 1_003_854,
    validationTokens: 111_540,
  } as const;
  expect(startedText(started)).toBe(
    'runs/a: 810k parameters, vocabulary 65, 1M training and 112k validation tokens, 2 replicas of 1 thread, from step 250',
  );
});

test('a log tells stages, notices, evaluations and some progress', () => {
  let time = 0;
  const output = testOutput();
  const display = new TrainProgress(output, () => time);
  display.show({ type: 'preparing', stage: 'reading', fraction: 0.1 });
  display.show({ type: 'preparing', stage: 'reading', fraction: 0.9 });
  display.show({ type: 'preparing', stage: 'encoding' });
  display.show({ type: 'notice', message: 'skipped 2 files' });
  time = 6000;
  display.show(progress);
  display.show({ type: 'evaluation', step: 500, val_loss: 2.1 });
  display.show({ type: 'checkpoint', step: 500, path: 'runs/a/checkpoints/000500' });
  display.end();
  expect(output.stderr).toEqual([
    'reading 10 %\n',
    'encoding\n',
    'note: skipped 2 files\n',
    'step 500/2,000  loss 1.988  val -  52.3k tokens/s  1 min 5 s left\n',
    'step 500: validation loss 2.1000\n',
  ]);
});
