import { expect, it } from 'vitest';
import { payingBandwidth, predictLinpack } from './linpack-time.js';

/** n, the products' GFLOP/s measured just before, and the milliseconds that a run took, one thread. */
const MEASURED = {
  fp64: [
    [2000, 50.8, 485],
    [3000, 54.8, 868],
    [4000, 52.8, 2112],
  ],
  fp32: [
    [2000, 114, 454],
    [3000, 116.5, 1035],
    [4000, 112, 1760],
  ],
} as const;

it.each(['fp64', 'fp32'] as const)('meets what was measured in %s within a fifth', (precision) => {
  for (const [n, gflops, milliseconds] of MEASURED[precision]) {
    const { seconds } = predictLinpack({ n, precision, products: 1e9 * gflops });
    expect(Math.abs(seconds / (milliseconds / 1000) - 1), `n ${n}`).toBeLessThan(0.2);
  }
});

it('comes near the products’ rate as n grows, and is never above it', () => {
  const share = (n: number) => predictLinpack({ n, precision: 'fp64', products: 1e12 }).rate / 1e12;
  expect([1000, 10_000, 100_000].map(share)).toEqual([1000, 10_000, 100_000].map(share).sort((a, b) => a - b));
  expect(share(1e6)).toBeGreaterThan(0.99);
  expect(share(1e6)).toBeLessThan(1);
});

it('says from which line on many machines pay: slower lines do for larger systems, and none for one machine', () => {
  const line = (n: number, rows: number, columns: number) =>
    payingBandwidth({ n, rows, columns, alone: predictLinpack({ n, precision: 'fp64', products: 5e10 }).seconds });
  expect(line(8000, 1, 1)).toBeNull();
  expect(line(8000, 2, 2)!).toBeGreaterThan(line(32_000, 2, 2)!);
  // 256 MB into each of two machines, in half of what one takes.
  const { seconds } = predictLinpack({ n: 8000, precision: 'fp64', products: 5e10 });
  expect(line(8000, 1, 2)).toBeCloseTo(256e6 / (seconds / 2), 0);
});
