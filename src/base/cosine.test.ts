import { expect, it } from 'vitest';
import { cosine } from './cosine.js';

it('is of directions, whatever the lengths', () => {
  const [x, y] = [Float32Array.of(3, 4), Float32Array.of(4, 3)];
  expect(cosine(x, x)).toBe(1);
  expect(cosine(x, y)).toBeCloseTo(24 / 25, 12);
  expect(cosine(x, Float32Array.of(-6, -8))).toBe(-1);
  expect(cosine(x, Float32Array.of(0, 0))).toBe(0);
});
