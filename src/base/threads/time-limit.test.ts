import { expect, test } from 'vitest';
import { TimeLimitError, withinTime } from './time-limit.js';

const endless = () => /^(a|aa)+$/.test(`${'a'.repeat(60)}b`);

test('gives what the work gives, and throws what it throws', () => {
  expect(withinTime(1000, () => [1])).toEqual([1]);
  expect(() =>
    withinTime(1000, () => {
      throw new RangeError('of its own');
    }),
  ).toThrow(RangeError);
});

test('ends a regular expression that would go on for years, and is ready for the next', () => {
  const began = performance.now();
  expect(() => withinTime(100, endless)).toThrow(TimeLimitError);
  expect(() => withinTime(10_000, () => withinTime(100, endless))).toThrow(TimeLimitError);
  expect(performance.now() - began).toBeLessThan(5000);
  expect(withinTime(1000, () => 'again')).toBe('again');
});
