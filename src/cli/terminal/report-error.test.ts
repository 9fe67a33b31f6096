import { expect, test } from 'vitest';
import { MeanfieldError, UsageError } from '../../base/errors.js';
import { reportError } from './report-error.js';
import { testOutput } from './test-output.js';

test('an error of the user is its message, with the exit code of its kind', () => {
  const output = testOutput();
  expect(reportError(new UsageError('Unknown preset.'), output, false)).toBe(2);
  expect(reportError(new MeanfieldError('No space left.'), output, false)).toBe(1);
  expect(output.stderr).toEqual(['error: Unknown preset.\n', 'error: No space left.\n']);
  expect(output.stdout).toEqual([]);
});

test('with json the error is a line on standard output, too', () => {
  const output = testOutput(true);
  reportError(new MeanfieldError('a "b"'), output, false);
  expect(output.stdout).toEqual(['{"type":"error","message":"a \\"b\\""}\n']);
});

test('a long message is cut to ten lines', () => {
  const output = testOutput();
  reportError(new MeanfieldError(Array.from({ length: 40 }, (_, i) => `line ${i}`).join('\n')), output, false);
  const lines = output.stderr.join('').trimEnd().split('\n');
  expect(lines).toHaveLength(10);
  expect(lines[8]).toBe('line 8');
  expect(lines[9]).toContain('--debug');
});

test('a fault of ours is called one; only --debug shows where', () => {
  const output = testOutput();
  const fault = new TypeError('x is undefined', { cause: new Error('deep') });
  expect(reportError(fault, output, false)).toBe(1);
  expect(output.stderr.join('')).toBe(
    'error: Unexpected: x is undefined\nThis is a fault of Meanfield, not yours. --debug shows where it happened.\n',
  );
  reportError(fault, output, true);
  expect(output.stderr.at(-1)).toContain('report-error.test.ts');
  expect(output.stderr.at(-1)).toContain('caused by: Error: deep');
});

test('what is thrown need not be an error', () => {
  const output = testOutput();
  expect(reportError('boom', output, true)).toBe(1);
  expect(output.stderr).toEqual(['error: Unexpected: boom\n']);
});
