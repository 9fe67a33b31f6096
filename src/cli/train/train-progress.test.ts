import { expect, test } from 'vitest';
import type { ProgressEvent } from '../../run/events.js';
import { testOutput } from '../terminal/test-output.js';
import { progressText, TrainProgress } from './train-progress.js';

const progress: ProgressEvent = {
  type: 'progress',
  step: 500,
  totalSteps: 2000,
  round: 20,
  loss: 1.98765,
  lr: 0.003,
  tokens: 384_000,
  tokensPerSecond: 52_345,
  etaSeconds: 65,
};

const at = { valLoss: 2.1 };
const text = 'step 500/2,000  loss 1.988  val 2.100  52.3k tokens/s  1 min 5 s left';

test('a line says how far a run is', () => {
  expect(progressText(progress, at, 0)).toBe(text);
  expect(progressText(progress, undefined, 0)).toBe(text.replace('2.100', '-'));
});

test.each([
  [200, '██████░░░░░░░░░░░░░░░░░░ '],
  [text.length + 10, '██░░░░░░ '],
  [text.length + 7, ''],
  [20, ''],
])('a terminal of %i columns has a bar that fits', (columns, bar) => {
  expect(progressText(progress, at, columns)).toBe(bar + text);
});

test('a run that knows no end draws an empty bar', () => {
  const endless = progressText({ ...progress, totalSteps: 0, etaSeconds: Number.NaN }, at, 200);
  expect(endless).toContain('░'.repeat(24));
  expect(endless).toContain('unknown left');
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
  display.show({ type: 'evaluation', step: 500, valLoss: 2.1 });
  display.show({ type: 'evaluation', step: 750, valLoss: 2.2, sample: 'To be\n\x1b[2J' });
  display.show({ type: 'checkpoint', step: 500, path: 'runs/a/checkpoints/000500' });
  display.end();
  expect(output.stderr).toEqual([
    'reading 10 %\n',
    'encoding\n',
    'note: skipped 2 files\n',
    'step 500/2,000  loss 1.988  val -  52.3k tokens/s  1 min 5 s left\n',
    'step 500: validation loss 2.1000\n',
    'step 750: validation loss 2.2000\n',
    '  To be\\n\\x1b[2J\n',
  ]);
});

test('a terminal that is wide shows memory and the curve', () => {
  const losses = [5, 4, 3, 2];
  const shown = progressText({ ...progress, memoryBytes: 1.2e9 }, { valLoss: 2.1, bitsPerByte: 3 }, 200, losses);
  expect(shown).toContain('val 2.100 (3.00 bits/byte)  52.3k tokens/s  1.2 GB  1 min 5 s left  █▆▃▁');
  expect(progressText(progress, at, text.length + 5, losses)).toBe(text);
});

test('some lines have a colour on a terminal, unless NO_COLOR says no', () => {
  const before = { ...process.env };
  try {
    Object.assign(process.env, { TERM: 'xterm', NO_COLOR: '' });
    const event = { type: 'evaluation', step: 5, valLoss: 2, evaluationsSinceBest: 0 } as const;
    const [shown, plain, log] = [testOutput(false, true), testOutput(false, true), testOutput()];
    new TrainProgress(shown).show(event);
    new TrainProgress(log).show(event);
    process.env.NO_COLOR = '1';
    new TrainProgress(plain).show(event);
    expect(shown.stderr.join('')).toContain('\x1b[32mstep 5: validation loss 2.0000\x1b[0m\n');
    for (const { stderr } of [plain, log]) expect(stderr.join('')).not.toContain('\x1b[32m');
  } finally {
    process.env = before;
  }
});
