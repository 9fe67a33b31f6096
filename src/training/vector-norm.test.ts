import { expect, it } from 'vitest';
import { NodeEngine } from '../engine/node/engine.js';
import { VectorNorm } from './vector-norm.js';

/** Two ranges. */
const LENGTH = 2 ** 20 + 9;

it('measures lengths and distances over several ranges', async () => {
  const norms = new VectorNorm(new NodeEngine());
  const ones = new Float32Array(LENGTH).fill(1);
  expect(await norms.norm(ones)).toBeCloseTo(Math.sqrt(LENGTH), 2);
  const other = ones.slice();
  other[0]! += 3;
  other[LENGTH - 1]! -= 4;
  expect(await norms.distance(ones, other)).toBeCloseTo(5, 6);
  await norms.dispose();
});

it('is not finite where an element is not', async () => {
  const norms = new VectorNorm(new NodeEngine());
  expect(await norms.norm(Float32Array.of(0, Number.NaN, 0, 0))).toBeNaN();
  expect(await norms.norm(Float32Array.of(0, 0, 0, Number.NEGATIVE_INFINITY))).toBe(Number.POSITIVE_INFINITY);
  const a = Float32Array.of(0, 0, Number.POSITIVE_INFINITY, 0);
  expect(await norms.distance(a, a)).toBeNaN();
  await norms.dispose();
});
