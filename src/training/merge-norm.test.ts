import { expect, it } from 'vitest';
import { NodeEngine } from '../engine/node/engine.js';
import { exceedsNorm, RangeNorm } from './merge-norm.js';

it('sums the squares of ranges of any length, over more than one run', async () => {
  const norm = new RangeNorm(new NodeEngine());
  const x = Float32Array.from({ length: 2 ** 18 + 5 }, (_, i) => (i % 3) - 1);
  const expected = x.reduce((sum, value) => sum + value * value, 0);
  expect(await norm.squares(x)).toBe(expected);
  expect((await norm.squares(x.subarray(0, 100))) + (await norm.squares(x.subarray(100)))).toBe(expected);
  expect(await norm.squares(new Float32Array(0))).toBe(0);
  expect(await norm.squares(Float32Array.of(1, Number.POSITIVE_INFINITY))).toBe(Number.POSITIVE_INFINITY);
  expect(await norm.squares(Float32Array.of(1, Number.NaN))).toBeNaN();
  await norm.dispose();
});

it('finds what is larger than its sender told, NaN too', () => {
  expect(exceedsNorm(3, 9)).toBe(false);
  expect(exceedsNorm(3, 35.9)).toBe(false);
  expect(exceedsNorm(3, 36.1)).toBe(true);
  expect(exceedsNorm(0, 0)).toBe(false);
  expect(exceedsNorm(3, Number.NaN)).toBe(true);
  expect(exceedsNorm(Number.NaN, 1)).toBe(true);
});
