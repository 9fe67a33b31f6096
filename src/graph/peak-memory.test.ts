import { describe, expect, it } from 'vitest';
import { Arena } from './arena.js';
import { concat, encode, gemm, input, mul, reshape, sigmoid, transpose } from './index.js';

const N = 64;
const matrix = () => input('x', [N, N]);
const BYTES = 4 * N * N;
const peak = (y: Parameters<typeof encode>[0]) => encode(y, 'cpu').peakBytes;

describe('the peak of a program', () => {
  it('counts neither inputs nor outputs', () => {
    expect(peak({ y: mul(matrix(), matrix()) })).toBe(0);
  });

  it('writes over operands that nobody needs, and takes a view for nothing', () => {
    const x = matrix();
    const product = gemm(x, x);
    expect(peak({ y: gemm(sigmoid(product), x) })).toBe(BYTES);
    expect(peak({ y: gemm(sigmoid(reshape(reshape(product, [N * N]), [N, N])), x) })).toBe(BYTES);
    // The product is needed again: its sigmoid lies beside it.
    expect(peak({ y: gemm(mul(product, sigmoid(product)), x) })).toBe(2 * BYTES);
  });

  it('keeps what a later value of the same shape will lie in', () => {
    const x = matrix();
    const wide = (y: ReturnType<typeof matrix>) => concat([y, y], 0);
    const narrow = (y: ReturnType<typeof matrix>) => gemm(transpose(y, [1, 0]), y);
    // Wide, narrow, wide, narrow: two buffers of each shape do, and none is given back in between.
    const y = narrow(wide(narrow(wide(gemm(x, x)))));
    expect(peak({ y })).toBeGreaterThanOrEqual(5 * BYTES);
  });
});

describe('the arena', () => {
  it('gives the smallest chunk that fits, whole unless half of it would be left', () => {
    const arena = new Arena();
    const first = arena.allocate(300_000);
    arena.allocate(1000);
    arena.release(first);
    const again = arena.allocate(200_000);
    expect(again.start).toBe(first.start);
    // 100,000 bytes beside it stay with it, so the next comes from elsewhere.
    expect(arena.allocate(50_000).start).toBeGreaterThan(300_000);
    expect(arena.touchedBytes).toBeLessThan(2 ** 20);
  });

  it('joins free neighbours, and counts what was written to alone', () => {
    const arena = new Arena();
    const chunks = Array.from({ length: 4 }, () => arena.allocate(2 ** 20));
    for (const chunk of chunks) arena.release(chunk);
    expect(arena.touchedBytes).toBe(4 * 2 ** 20);
    const before = arena.touchedBytes;
    arena.allocate(2 ** 20);
    expect(arena.touchedBytes).toBe(before);
  });
});
