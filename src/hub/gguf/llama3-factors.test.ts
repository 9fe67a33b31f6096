import fc from 'fast-check';
import { expect, it } from 'vitest';
import { llama3Factors, llama3ScalingOf } from './llama3-factors.js';

it('Llama’s own scaling is found from what frequencies are divided by', () => {
  for (const factor of [8, 32]) {
    const scaling = { factor, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };
    for (const width of [64, 128])
      expect(llama3ScalingOf(llama3Factors(scaling, 500_000, width), 500_000, width)).toEqual(scaling);
  }
});

it('any other comes to the same factors, or is told to be none', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 1.5, max: 64, noNaN: true }),
      fc.double({ min: 0.5, max: 2, noNaN: true }),
      fc.constantFrom(1024, 4096, 8192),
      (factor, low, original) => {
        const given = {
          ...{ factor, low_freq_factor: low, high_freq_factor: 4 * low },
          original_max_position_embeddings: original,
        };
        const factors = llama3Factors(given, 10_000, 128);
        const found = llama3ScalingOf(factors, 10_000, 128);
        if (found === undefined) return;
        for (const [i, value] of llama3Factors(found, 10_000, 128).entries())
          expect(value / factors[i]!).toBeCloseTo(1, 4);
      },
    ),
  );
});

it('what is no such scaling is none', () => {
  expect(llama3ScalingOf(new Float32Array(32).fill(1), 10_000, 64)).toBeUndefined();
  expect(
    llama3ScalingOf(
      Float32Array.from({ length: 32 }, (_, i) => 1 + i),
      10_000,
      64,
    ),
  ).toBeUndefined();
  expect(llama3ScalingOf(new Float32Array(8), 10_000, 64)).toBeUndefined();
});
