import { expect, test } from 'vitest';
import { UsageError } from '../../base/errors.js';
import { checkPlanOptions, type PlanOptions } from './options.js';

test.each<[PlanOptions, RegExp]>([
  [{ method: 'magic' as 'auto' }, /^`method`: expected auto, data, averaging; got magic\.$/],
  [{ zero: 4 as 3 }, /^`zero`: expected a whole number from 0 to 3; got 4/],
  [{ precision: 'fp64' as 'fp32' }, /^`precision`: expected fp32, .*nvfp4; got fp64/],
  [{ outerPrecision: 'int2' as 'int4' }, /^`outerPrecision`: expected fp32, bf16, int8, int4/],
  [{ globalBatch: 0 }, /^`globalBatch`: expected a whole number from 1 to 1000000000; got 0/],
  [{ tensor: 2.5 }, /^`tensor`: .*2\.5/],
  [{ sequence: Number.NaN }, /^`sequence`: .*NaN/],
  [{ syncEvery: 1e12 }, /^`syncEvery`: /],
  [{ tokens: -1 }, /^`tokens`: expected a number above 0; got -1/],
  [{ budgetUsd: Number.POSITIVE_INFINITY }, /^`budgetUsd`: .*Infinity/],
  [{ overlapSteps: -1 }, /^`overlapSteps`: /],
  [{ speedSpread: 0.5 }, /^`speedSpread`: expected a number from 1 to 100; got 0\.5/],
  [{ tokens: 1, flop: 1 }, /one follows from the other/],
])('%j is refused', (options, expected) => {
  expect(() => checkPlanOptions(options)).toThrow(UsageError);
  expect(() => checkPlanOptions(options)).toThrow(expected);
});

test('what is left out or allowed passes', () => {
  expect(() => checkPlanOptions({})).not.toThrow();
  expect(() =>
    checkPlanOptions({ method: 'averaging', zero: 0, tokens: 1e12, syncEvery: 500, overlapSteps: 0, speedSpread: 1 }),
  ).not.toThrow();
});
