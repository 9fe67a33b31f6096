import { expect, test } from 'vitest';
import { contributionBytes, exchangeBytes } from './outer-bytes.js';
import { type AveragingMethod, OUTER_PRECISIONS } from './types.js';

const method: AveragingMethod = {
  innerSteps: 100,
  outerPrecision: 'bf16',
  vectors: 1,
  fragments: 1,
  overlapSteps: 0,
};

test('a contribution has the bytes of its format, and a scale a block', () => {
  expect(OUTER_PRECISIONS.map((outerPrecision) => contributionBytes(1024, { ...method, outerPrecision }))).toEqual([
    4096, 2048, 1040, 528,
  ]);
});

test('moments travel beside the change, in bf16 at the least', () => {
  expect(contributionBytes(1024, { ...method, vectors: 3, outerPrecision: 'fp32' })).toBe(3 * 4096);
  expect(contributionBytes(1024, { ...method, vectors: 3, outerPrecision: 'int4' })).toBe(528 + 2 * 2048);
});

test('an average moves 2 (M - 1) / M of the contribution', () => {
  expect(exchangeBytes(1000, 1)).toBe(0);
  expect(exchangeBytes(1000, 2)).toBe(1000);
  expect(exchangeBytes(1000, 8)).toBe(1750);
});

test('bytes per step fall as arXiv 2502.12996, table 1, prints them: 441 TB against 1.10 TB', () => {
  // Data parallelism in bf16 every step; streaming every 100 steps in 4 bits. Our blocks carry a scale beside.
  const every = contributionBytes(1e9, { ...method, innerSteps: 1 });
  const streaming = contributionBytes(1e9, { ...method, outerPrecision: 'int4' }) / 100;
  const printed = 441 / 1.1;
  expect(every / streaming / printed).toBeGreaterThan(0.95);
  expect(every / streaming / printed).toBeLessThan(1);
});
