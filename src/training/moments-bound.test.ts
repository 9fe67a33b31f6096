import fc from 'fast-check';
import { expect, it } from 'vitest';
import { arePossible, momentsBound } from './moments-bound.js';

const one = (value: number) => Float32Array.of(value);

it('takes the moments of any gradients, and of means of such', () => {
  const betas = fc.constantFrom([0.9, 0.95], [0.9, 0.99], [0.9, 0.999], [0.5, 0.9]);
  const gradients = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(betas, fc.array(gradients, { minLength: 1, maxLength: 4 }), ([beta1, beta2], replicas) => {
      const bound = momentsBound({ beta1: beta1!, beta2: beta2!, clip: 1 });
      const sums = [0, 0];
      for (const all of replicas) {
        const [m1, m2] = [Float32Array.of(0), Float32Array.of(0)];
        for (const g of all) {
          m1[0] = beta1! * m1[0]! + (1 - beta1!) * g;
          m2[0] = beta2! * m2[0]! + (1 - beta2!) * g * g;
        }
        expect(arePossible(m1, m2, bound)).toBe(true);
        sums[0]! += m1[0]! / replicas.length;
        sums[1]! += m2[0]! / replicas.length;
      }
      expect(arePossible(one(sums[0]!), one(sums[1]!), bound)).toBe(true);
    }),
  );
});

it('refuses what would make the next step not finite, huge, or nothing at all', () => {
  const bound = momentsBound({ beta1: 0.9, beta2: 0.95, clip: 1 });
  expect(arePossible(one(0), one(-1e-3), bound)).toBe(false);
  expect(arePossible(one(1), one(1e-6), bound)).toBe(false);
  expect(arePossible(one(0), one(1e30), bound)).toBe(false);
  expect(arePossible(one(Number.NaN), one(1), bound)).toBe(false);
  expect(arePossible(one(0), one(1e30), momentsBound({ beta1: 0.99, beta2: 0.9, clip: 0 }))).toBe(true);
  expect(arePossible(one(0), one(-1), momentsBound({ beta1: 0.99, beta2: 0.9, clip: 0 }))).toBe(false);
});

it('takes means of clipped gradients, and no second moment, where Muon trains', () => {
  const bound = momentsBound({ beta1: 0.9, beta2: 0.95, clip: 1 });
  const zero = new Float32Array(4);
  const muon = [
    { start: -3, end: 1 },
    { start: 2, end: 9 },
  ];
  const possible = (first: number[], second = zero) => arePossible(Float32Array.from(first), second, bound, muon);
  expect(possible([1, 0, -1, 0.5])).toBe(true);
  expect(possible([1, 0.5, -1, 0.5])).toBe(false);
  expect(possible([3, 0, 0, 0])).toBe(false);
  expect(possible([0, 0, Number.NaN, 0])).toBe(false);
  expect(possible([0, 0, 0, 0], Float32Array.of(0, 1, 0, 0))).toBe(true);
  expect(possible([0, 0, 0, 0], Float32Array.of(0, 1, 0, 0.1))).toBe(false);
});
