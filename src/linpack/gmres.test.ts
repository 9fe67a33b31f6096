import { expect, it } from 'vitest';
import { Random } from '../base/random.js';
import { gmres } from './gmres.js';

const apply = (a: Float64Array, n: number) => async (v: Float64Array, out: Float64Array) => {
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let j = 0; j < n; j++) sum += a[i * n + j]! * v[j]!;
    out[i] = sum;
  }
};

it('solves in at most n iterations, its estimate being the true residual', async () => {
  const n = 20;
  const random = new Random(3);
  const a = Float64Array.from(
    { length: n * n },
    (_, k) => (k % (n + 1) === 0 ? 2 : 0) + random.uint32() / 2 ** 33 - 0.25,
  );
  const z = Float64Array.from({ length: n }, () => random.uint32() / 2 ** 32);
  const estimates: number[] = [];
  const options = {
    iterations: n,
    done: (relative: number) => {
      estimates.push(relative);
      return relative < 1e-12;
    },
  };
  const { correction, iterations } = await gmres(apply(a, n), z, options);
  const out = new Float64Array(n);
  await apply(a, n)(correction, out);
  const norm = (v: Float64Array) => Math.hypot(...v);
  expect(norm(z.map((value, i) => value - out[i]!)) / norm(z)).toBeLessThan(1e-11);
  expect(iterations).toBeLessThanOrEqual(n);
  expect(estimates.every((value, i) => i === 0 || value <= estimates[i - 1]! * (1 + 1e-12))).toBe(true);
});

it('ends at once where there is nothing to correct, and where the basis holds the solution', async () => {
  const identity = async (v: Float64Array, out: Float64Array) => out.set(v);
  const nothing = await gmres(identity, new Float64Array(3), { iterations: 5, done: () => false });
  expect(nothing.iterations).toBe(0);
  const { correction, iterations } = await gmres(identity, Float64Array.of(1, 2, 3), {
    iterations: 5,
    done: () => false,
  });
  expect(iterations).toBe(1);
  expect([...correction]).toEqual([1, 2, 3].map((value) => expect.closeTo(value, 12)));
});
