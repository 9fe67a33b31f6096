import { expect, test } from 'vitest';
import { decodeFloat32, isDtype, isFloatDtype } from './safetensors-dtype.js';

test.each([
  [0x0000, 0],
  [0x8000, -0],
  [0x3c00, 1],
  [0xc000, -2],
  [0x7bff, 65504],
  [0x0400, 2 ** -14],
  [0x03ff, 2 ** -14 - 2 ** -24],
  [0x0200, 2 ** -15],
  [0x8001, -(2 ** -24)],
  [0x7c00, Infinity],
  [0xfc00, -Infinity],
  [0x7e00, NaN],
])('half precision %i is %f', (half, value) => {
  const target = new Float32Array(1);
  decodeFloat32('F16', new Uint8Array(Uint16Array.of(half).buffer), target);
  expect(target[0]).toBe(value);
});

test('BF16 is the upper half of single precision; F64 is rounded', () => {
  const target = new Float32Array(4).fill(9);
  decodeFloat32('BF16', new Uint8Array(Uint16Array.of(0x3f80, 0xc049, 0x7f80, 1).buffer), target);
  expect([...target]).toEqual([1, -3.140625, Infinity, 2 ** -133]);
  decodeFloat32('F64', new Uint8Array(Float64Array.of(0.1, 1e300).buffer), target.subarray(1, 3));
  expect([...target]).toEqual([1, Math.fround(0.1), Infinity, 2 ** -133]);
});

test('only known names are types', () => {
  expect(['F32', 'BOOL', 'f32', 'F31', 'valueOf', 4, undefined].map(isDtype)).toEqual([
    true,
    true,
    ...Array(5).fill(false),
  ]);
  expect((['F32', 'F16', 'BF16', 'F64', 'I64', 'U8'] as const).map(isFloatDtype)).toEqual([
    true,
    true,
    true,
    true,
    false,
    false,
  ]);
});
