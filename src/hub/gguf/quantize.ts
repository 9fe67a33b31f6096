/*
 * Float32 as blocks of ggml's types, to the bit as Python `gguf` (gguf/quants.py) makes them, each step in float32.
 */
import { type GgmlType, ggmlTypes } from './types.js';

const word = new Float32Array(1);
const wordBits = new Uint32Array(word.buffer);

/** The bits of the nearest IEEE 754 half, ties to even; beyond 65,504 an infinity. */
export function toHalf(value: number): number {
  word[0] = value;
  const bits = wordBits[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const size = bits & 0x7fffffff;
  if (size > 0x7f800000) return sign | 0x7e00;
  // From here on it rounds to 2¹⁶.
  if (size >= 0x477ff000) return sign | 0x7c00;
  if (size >= 0x38800000) {
    const rounded = size + 0xfff + ((size >>> 13) & 1);
    return sign | ((rounded - 0x38000000) >>> 13);
  }
  // A subnormal counts in steps of 2⁻²⁴: the product is exact, and adding 2⁵² rounds a double to a whole number.
  const steps = Math.abs(word[0]!) * 2 ** 24;
  return sign | (steps + 2 ** 52 - 2 ** 52);
}

type Encode = (values: Float32Array, target: Uint8Array) => void;

function halves(values: Float32Array, target: Uint8Array): void {
  for (let i = 0; i < values.length; i++) putHalf(target, 2 * i, values[i]!);
}

function putHalf(target: Uint8Array, at: number, value: number): void {
  const bits = toHalf(value);
  target[at] = bits & 255;
  target[at + 1] = bits >>> 8;
}

/** Nearest, ties to even; what is no number stays none. */
function bfloat16(values: Float32Array, target: Uint8Array): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) {
    const b = bits[i]!;
    const none = (b & 0x7fffffff) > 0x7f800000;
    const upper = none ? (b >>> 16) | 64 : (b + 0x7fff + ((b >>> 16) & 1)) >>> 16;
    target[2 * i] = upper & 255;
    target[2 * i + 1] = upper >>> 8;
  }
}

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
  F16: halves,
  BF16: bfloat16,
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
