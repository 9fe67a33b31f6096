import fc from 'fast-check';
import { expect, it } from 'vitest';
import { allBelow } from './finite.js';

const INFINITY = Number.POSITIVE_INFINITY;

it('finds one NaN or infinity at any place', () => {
  for (let length = 0; length < 9; length++) {
    const x = Float32Array.from({ length }, (_, i) => (i % 2 ? -3.4e38 : i));
    expect(allBelow(x, INFINITY)).toBe(true);
    for (let i = 0; i < length; i++) {
      for (const wrong of [Number.NaN, INFINITY, -INFINITY]) expect(allBelow(x.with(i, wrong), INFINITY)).toBe(false);
    }
  }
});

it('knows NaN of any bits', () => {
  for (const bits of [0x7fc00000, 0xffc00000, 0x7f800001, 0xff800001, 0x7fffffff, 0xffffffff]) {
    expect(allBelow(new Float32Array(Uint32Array.of(bits).buffer), INFINITY)).toBe(false);
  }
});

it('compares with any limit as numbers compare', () => {
  fc.assert(
    fc.property(fc.float32Array({ maxLength: 9 }), fc.float({ min: 2 ** -140, noNaN: true }), (x, limit) => {
      expect(allBelow(x, limit)).toBe(x.every((value) => Math.abs(value) < limit));
    }),
  );
  expect(allBelow(Float32Array.of(2 ** 120), 2 ** 120)).toBe(false);
  expect(allBelow(Float32Array.of(-(2 ** 120) * (1 - 2 ** -24)), 2 ** 120)).toBe(true);
});
