import { expect, test } from 'vitest';
import { UsageError } from '../../base/errors.js';
import { demandsOf, isCount, isNotNegative, isPositive } from './demand.js';

test('says what a number must be, and what came', () => {
  const demand = demandsOf('A step');
  expect(() => demand('jitter', true, 'from 0', 1)).not.toThrow();
  expect(() => demand('jitter', false, 'from 0', -1)).toThrow(
    new UsageError("A step's jitter must be from 0; got -1."),
  );
});

test.each([
  [1, true, true, true],
  [0.5, false, true, true],
  [0, false, false, true],
  [-1, false, false, false],
  [Number.POSITIVE_INFINITY, false, false, false],
  [Number.NaN, false, false, false],
])('%d is a count: %s, positive: %s, not negative: %s', (value, count, positive, notNegative) => {
  expect([isCount(value), isPositive(value), isNotNegative(value)]).toEqual([count, positive, notNegative]);
});
