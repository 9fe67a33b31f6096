import { afterAll, expect, it } from 'vitest';
import { createEngine } from '../engine/node/create.js';
import { VectorSum } from './vector-sum.js';

const vectors = new VectorSum(await createEngine('cpu'));
afterAll(() => vectors.dispose());

it('gives differences and mixtures, in place too', async () => {
  const x = Float32Array.of(1, 2, 0.1);
  const y = Float32Array.of(4, -2, 0.3);
  const difference = new Float32Array(3);
  await vectors.sum(1, x, -1, y, difference);
  expect([...difference]).toEqual([-3, 4, Math.fround(Math.fround(0.1) - Math.fround(0.3))]);
  await vectors.sum(0.25, x, 0.75, y, x);
  expect(x[0]).toBe(3.25);
  expect(x[1]).toBe(-1);
});

it('covers vectors longer than a range', async () => {
  const x = new Float32Array(300_001).fill(2);
  const into = new Float32Array(x.length);
  await vectors.sum(3, x, 0.5, x, into);
  expect(into.every((value) => value === 7)).toBe(true);
});
