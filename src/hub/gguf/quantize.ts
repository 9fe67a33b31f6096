/*
 * Float32 as blocks of ggml's types, to the bit as Python `gguf` (gguf/quants.py) makes them, each step in float32.
 */
import { toBfloat16, toFloat16 } from '../../base/half-precision.js';
import { type GgmlType, ggmlTypes } from './types.js';

type Encode = (values: Float32Array, target: Uint8Array) => void;

const one = new Float32Array(1);
const oneHalf = new Uint16Array(1);

function putHalf(target: Uint8Array, at: number, value: number): void {
  one[0] = value;
  toFloat16(one, oneHalf);
  target[at] = oneHalf[0]! & 255;
  target[at + 1] = oneHalf[0]! >>> 8;
}

const words = (target: Uint8Array): Uint16Array => new Uint16Array(target.buffer);

/** 32 elements: d = max |x| / 127 as float16, then each x / d rounded, halves away from 0, in a byte. */
function q8(values: Float32Array, target: Uint8Array): void {
  for (let from = 0, at = 0; from < values.length; from += 32, at += 34) {
    let most = 0;
    for (let i = 0; i < 32; i++) most = Math.max(most, Math.abs(values[from + i]!));
    const d = Math.fround(most / 127);
    const inverse = d === 0 ? 0 : Math.fround(1 / d);
    putHalf(target, at, d);
    for (let i = 0; i < 32; i++) {
      const x = Math.fround(values[from + i]! * inverse);
      const size = Math.abs(x);
      const whole = Math.floor(size);
      target[at + 2 + i] = Math.sign(x) * (whole + Math.floor(2 * (size - whole)));
    }
  }
}

/** 32 elements: d = the x of the largest |x| / −8 as float16, then trunc(x / d + 8.5) of 0 to 15, two in a byte. */
function q4(values: Float32Array, target: Uint8Array): void {
  const code = (x: number, inverse: number) =>
    Math.min(15, Math.trunc(Math.fround(Math.fround(x * inverse) + 8.5)) & 255);
  for (let from = 0, at = 0; from < values.length; from += 32, at += 18) {
    let most = values[from]!;
    for (let i = 1; i < 32; i++) if (Math.abs(values[from + i]!) > Math.abs(most)) most = values[from + i]!;
    const d = Math.fround(most / -8);
    const inverse = d === 0 ? 0 : Math.fround(1 / d);
    putHalf(target, at, d);
    for (let i = 0; i < 16; i++)
      target[at + 2 + i] = code(values[from + i]!, inverse) | (code(values[from + i + 16]!, inverse) << 4);
  }
}

const encoders = {
  F32: (values, target) => target.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
  F16: (values, target) => toFloat16(values, words(target)),
  BF16: (values, target) => toBfloat16(values, words(target)),
  Q8_0: q8,
  Q4_0: q4,
} as const satisfies Partial<Record<GgmlType, Encode>>;

/** The types that tensors are written in. */
export type WritableType = keyof typeof encoders;

/** Whole blocks of a type, of as many elements as are a multiple of its block. */
export function quantize(type: WritableType, values: Float32Array): Uint8Array {
  const { block, bytes } = ggmlTypes[type];
  const target = new Uint8Array((values.length / block) * bytes);
  encoders[type](values, target);
  return target;
}
