import { expect, it } from 'vitest';
import { NodeEngine } from '../engine/node/engine.js';
import { RANGE } from './ranges.js';
import { VectorNorm } from './vector-norm.js';

it('measures lengths and distances over several ranges', async () => {
  const norms = await VectorNorm.create(new NodeEngine(), RANGE + 9);
  const ones = new Float32Array(RANGE + 9).fill(1);
  expect(await norms.norm(ones)).toBeCloseTo(Math.sqrt(RANGE + 9), 3);
  const other = ones.slice();
  other[0]! += 3;
  other[RANGE + 8]! -= 4;
  expect(await norms.distance(ones, other)).toBeCloseTo(5, 6);
  await norms.dispose();
});

it('is not finite where an element is not', async () => {
  const norms = await VectorNorm.create(new NodeEngine(), 4);
  expect(await norms.norm(Float32Array.of(0, Number.NaN, 0, 0))).toBeNaN();
  expect(await norms.norm(Float32Array.of(0, 0, 0, Number.NEGATIVE_INFINITY))).toBe(Number.POSITIVE_INFINITY);
  const a = Float32Array.of(0, 0, Number.POSITIVE_INFINITY, 0);
  expect(await norms.distance(a, a)).toBeNaN();
  await norms.dispose();
});
