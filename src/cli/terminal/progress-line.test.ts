import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ProgressLine } from './progress-line.js';
import { testOutput } from './test-output.js';

beforeEach(() => {
  vi.stubEnv('TERM', 'xterm');
});
afterEach(() => {
  vi.unstubAllEnvs();
});

test('a log gets a line every five seconds, and when it must', () => {
  let time = 0;
  const output = testOutput();
  const line = new ProgressLine(output, () => time);
  line.show('a');
  time = 4999;
  line.show('b');
  line.show('c', true);
  time = 9998;
  line.show('d');
  time = 9999;
  line.show('e');
  line.end();
  expect(output.stderr).toEqual(['a\n', 'c\n', 'e\n']);
});

test('on a terminal the line is redrawn below what stays, and leaves nothing behind', () => {
  let time = 0;
  const output = testOutput(false, true);
  const line = new ProgressLine(output, () => time);
  line.show('a');
  time = 99;
  line.show('too soon');
  time = 100;
  line.show('x'.repeat(100));
  line.note('stays');
  line.end();
  line.note('after');
  const wide = 'x'.repeat(59);
  expect(output.stderr).toEqual([
    '\r\x1b[Ka',
    `\r\x1b[K${wide}`,
    '\r\x1b[K',
    'stays\n',
    `\r\x1b[K${wide}`,
    '\r\x1b[K',
    'after\n',
  ]);
});
