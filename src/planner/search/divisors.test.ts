import fc from 'fast-check';
import { expect, test } from 'vitest';
import { divisors } from './divisors.js';

test.each([
  [1, [1]],
  [36, [1, 2, 3, 4, 6, 9, 12, 18, 36]],
  [105, [1, 3, 5, 7, 15, 21, 35, 105]],
  [97, [1, 97]],
])('of %d', (value, expected) => {
  expect(divisors(value)).toEqual(expected);
});

test('are those that leave no rest', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), (value) => {
      const expected = Array.from({ length: value }, (_, i) => i + 1).filter((i) => value % i === 0);
      expect(divisors(value)).toEqual(expected);
    }),
    { numRuns: 50 },
  );
});
