import fc from 'fast-check';
import { expect, it } from 'vitest';
import { BFLOAT16_LIMIT, FLOAT16_LIMIT, fromBfloat16, toBfloat16, toFloat16 } from './half-precision.js';
import { decodeFloat32 } from './safetensors-dtype.js';

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

function halves(x: Float32Array): Float32Array {
  const bits = new Uint16Array(x.length);
  toFloat16(x, bits);
  const back = new Float32Array(x.length);
  decodeFloat32('F16', new Uint8Array(bits.buffer), back);
  return back;
}

it('every half precision number stays as it is', () => {
  const bits = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i).filter((half) => (half & 0x7fff) <= 0x7c00);
  const values = new Float32Array(bits.length);
  decodeFloat32('F16', new Uint8Array(bits.buffer), values);
  const again = new Uint16Array(bits.length);
  toFloat16(values, again);
  expect(again).toEqual(bits);
});

it('what lies between two half precision numbers goes to the nearer, ties to the even one', () => {
  const bits = Uint16Array.from({ length: 0x7c00 }, (_, i) => i);
  const values = new Float32Array(bits.length);
  decodeFloat32('F16', new Uint8Array(bits.buffer), values);
  const middle = values.subarray(0, -1).map((value, i) => (value + values[i + 1]!) / 2);
  const below = middle.map((value, i) => (value * 7 + values[i]!) / 8);
  const above = middle.map((value, i) => (value * 7 + values[i + 1]!) / 8);
  expect(halves(below)).toEqual(values.slice(0, -1));
  expect(halves(above)).toEqual(values.slice(1));
  expect(halves(middle)).toEqual(middle.map((_, i) => values[i + (i % 2)]!));
});

it('what is beyond the range becomes infinite from the limit on', () => {
  const below = (limit: number) => limit * (1 - 2 ** -20);
  expect([...halves(Float32Array.of(below(FLOAT16_LIMIT), FLOAT16_LIMIT, -1e30, Infinity, NaN))]).toEqual([
    65504,
    Infinity,
    -Infinity,
    Infinity,
    NaN,
  ]);
  const largest = (2 - 2 ** -7) * 2 ** 127;
  expect([...rounded(Float32Array.of(below(BFLOAT16_LIMIT), BFLOAT16_LIMIT, -Infinity))]).toEqual([
    largest,
    Infinity,
    -Infinity,
  ]);
});
