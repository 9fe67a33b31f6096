import { expect } from 'vitest';

/**
 * Expects losses of the same training on two engines. The first is one forward pass, equal within the rounding of
 * float32; later ones drift apart, since AdamW takes steps of full size along gradients that are only rounding noise.
 */
export function expectSameLosses(
  { expected, actual }: { expected: number[]; actual: number[] },
  most = { first: 1e-6, later: 5e-4 },
): void {
  expect(actual).toHaveLength(expected.length);
  // It learns, so the comparison covers the optimiser and not only the first loss.
  expect(expected.at(-1)).toBeLessThan(expected[0]! - 0.2);
  actual.forEach((loss, step) => {
    const difference = Math.abs(loss / expected[step]! - 1);
    expect(difference, `step ${step}: ${loss} and ${expected[step]}`).toBeLessThan(
      step === 0 ? most.first : most.later,
    );
  });
}
