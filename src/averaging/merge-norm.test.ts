import fc from 'fast-check';
import { expect, it } from 'vitest';
import { NodeEngine } from '../engine/node/engine.js';
import { VectorNorm } from '../training/vector-norm.js';
import { MERGES } from './choices.js';
import { MergeProgram } from './merge.js';
import { exceedsNorm, mergedNorm, NORM_RANGE } from './merge-norm.js';

it('sums the squares of ranges of any length, over more than one run', async () => {
  const norm = new VectorNorm(new NodeEngine(), { length: NORM_RANGE });
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
  expect(exceedsNorm(3, 9, false)).toBe(false);
  expect(exceedsNorm(3, 9.18, false)).toBe(false);
  expect(exceedsNorm(3, 9.19, false)).toBe(true);
  expect(exceedsNorm(3, 35.9, true)).toBe(false);
  expect(exceedsNorm(3, 36.1, true)).toBe(true);
  expect(exceedsNorm(0, 0, false)).toBe(false);
  expect(exceedsNorm(3, Number.NaN, false)).toBe(true);
  expect(exceedsNorm(Number.NaN, 1, true)).toBe(true);
});

it('bounds what a merge of any contributions can come to', async () => {
  const engine = new NodeEngine();
  for (const method of MERGES) {
    const merge = new MergeProgram(engine, method);
    const value = fc.oneof(fc.double({ min: -100, max: 100, noNaN: true }), fc.constantFrom(0, 1, -1));
    const vectors = fc.integer({ min: 1, max: 4 }).chain((length) => {
      const vector = fc.array(value, { minLength: length, maxLength: length });
      return fc.array(fc.tuple(vector, fc.integer({ min: 1, max: 9 })), { minLength: 1, maxLength: 9 });
    });
    await fc.assert(
      fc.asyncProperty(vectors, async (all) => {
        const total = all.reduce((sum, [, tokens]) => sum + tokens, 0);
        const weights = all.map(([, tokens]) => tokens / total);
        const contributions = all.map(([vector]) => Float32Array.from(vector));
        const squares = contributions.map((x) => x.reduce((sum, one) => sum + one * one, 0));
        const into = new Float32Array(contributions[0]!.length);
        await merge.merge(contributions, weights, into);
        const found = into.reduce((sum, one) => sum + one * one, 0);
        expect(exceedsNorm(mergedNorm(method, weights, squares) + 1e-6, found, false)).toBe(false);
      }),
      { numRuns: 150 },
    );
    await merge.dispose();
  }
});
