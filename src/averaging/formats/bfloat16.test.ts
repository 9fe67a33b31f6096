import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fromBfloat16, toBfloat16 } from './bfloat16.js';

function rounded(x: Float32Array): Float32Array {
  const halves = new Uint16Array(x.length);
  toBfloat16(x, halves);
  const back = new Float32Array(x.length);
  fromBfloat16(halves, back);
  return back;
}

it('rounds to 8 significant bits, ties to even', () => {
  const x = [1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20, -1 - 2 ** -8, Math.PI, -0, 0.1];
  const expected = [1, 1, 1 + 2 ** -6, 1 + 2 ** -7, -1, 3.140625, -0, 0.10009765625];
  expect([...rounded(Float32Array.from(x))]).toEqual(expected);
});

it('leaves what has 16 bits as it is, and errs by half a unit at most', () => {
  const finite = { noNaN: true, noDefaultInfinity: true, min: -(2 ** 126), max: 2 ** 126 };
  fc.assert(
    fc.property(fc.float32Array(finite), (x) => {
      const once = rounded(x);
      expect(rounded(once)).toEqual(once);
      expect(once.every((value, i) => Math.abs(value - x[i]!) <= Math.max(Math.abs(x[i]!) * 2 ** -8, 2 ** -134))).toBe(
        true,
      );
    }),
  );
});
