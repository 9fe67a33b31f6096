import fc from 'fast-check';
import { expect, it } from 'vitest';
import { thousands } from './thousands.js';

it('writes numbers as the language of the United States does', () => {
  expect([-0, 0, 7, 999, 1000, 123456, -1234567].map(thousands)).toEqual([
    '-0',
    '0',
    '7',
    '999',
    '1,000',
    '123,456',
    '-1,234,567',
  ]);
  const number = fc.oneof(fc.maxSafeInteger(), fc.double({ noNaN: true }));
  fc.assert(
    fc.property(number, (value) => {
      expect(thousands(value)).toBe(value.toLocaleString('en-US'));
    }),
  );
});
