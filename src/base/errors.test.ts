import { expect, test } from 'vitest';
import { MeanfieldError, messageOf, UsageError } from './errors.js';

test('the command line exits with 1 on a failure and with 2 on wrong usage', () => {
  expect(new MeanfieldError('x').exitCode).toBe(1);
  expect(new UsageError('x').exitCode).toBe(2);
  expect(new UsageError('x')).toBeInstanceOf(MeanfieldError);
  expect(String(new UsageError('bad option'))).toBe('UsageError: bad option');
  expect(new MeanfieldError('x', { cause: 7 }).cause).toBe(7);
});

test('anything thrown has a message', () => {
  expect([new Error('a'), 'b', 3, undefined].map(messageOf)).toEqual(['a', 'b', '3', 'undefined']);
});
