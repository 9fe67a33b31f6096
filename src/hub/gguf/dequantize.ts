/*
 * Blocks of ggml's types as float32, to the bit as Python `gguf` (gguf/quants.py) has them: it and these do each step in
 * float32. Layouts: ggml-common.h of llama.cpp. Below, d is a block's scale and m what its elements start from, both
 * float16; q are its small integers.
 */
import { decodeFloat32 } from '../../base/safetensors-dtype.js';
import { type GgmlType, ggmlTypes } from './types.js';

/** The float32 of every float16, by its bits. */
const halves = new Float32Array(65_536);
decodeFloat32('F16', new Uint8Array(Uint16Array.from(halves, (_, bits) => bits).buffer), halves);

type Decode = (bytes: Uint8Array, target: Float32Array) => void;

const half = (bytes: Uint8Array, at: number): number => halves[bytes[at]! | (bytes[at + 1]! << 8)]!;

/** Low nibbles are a block's first half, high ones its second. */
function nibbles(bytes: Uint8Array, at: number, i: number): number {
  return i < 16 ? bytes[at + i]! & 15 : bytes[at + i - 16]! >> 4;
}

/** The fifth bits of 32 elements, one after another. */
function fifth(bytes: Uint8Array, at: number, i: number): number {
  return ((bytes[at + (i >> 3)]! >> (i & 7)) & 1) << 4;
}

/** A decoder of blocks of 32 elements, from what makes one of them. */
function small(type: GgmlType, element: (bytes: Uint8Array, at: number, i: number) => number): Decode {
  const size = ggmlTypes[type].bytes;
  return (bytes, target) => {
    for (let at = 0, to = 0; to < target.length; at += size, to += 32)
      for (let i = 0; i < 32; i++) target[to + i] = element(bytes, at, i);
  };
}

/** Eight scales and eight minimums of 6 bits in 12 bytes: the scale, or with `minimum` the minimum, of group `j`. */
function sixBits(bytes: Uint8Array, at: number, j: number, minimum: boolean): number {
  const own = bytes[at + (j & 3) + (minimum ? 4 : 0)]!;
  if (j < 4) return own & 63;
  const low = bytes[at + 4 + j]!;
  return (minimum ? low >> 4 : low & 15) | ((own >> 2) & 48);
}

/** Q4_K and Q5_K: eight groups of 32, each d · scale · q − dmin · minimum; two groups share the bytes of their nibbles. */
function large(type: 'Q4_K' | 'Q5_K'): Decode {
  const size = ggmlTypes[type].bytes;
  const high = type === 'Q5_K' ? 16 : undefined;
  const low = type === 'Q5_K' ? 48 : 16;
  return (bytes, target) => {
    for (let at = 0, to = 0; to < target.length; at += size, to += 256) {
      for (let j = 0; j < 8; j++) {
        const d = Math.fround(half(bytes, at) * sixBits(bytes, at + 4, j, false));
        const m = Math.fround(half(bytes, at + 2) * sixBits(bytes, at + 4, j, true));
        for (let i = 0; i < 32; i++) {
          const pair = bytes[at + low + (j >> 1) * 32 + i]!;
          const bit = high === undefined ? 0 : ((bytes[at + high + i]! >> j) & 1) << 4;
          target[to + 32 * j + i] = Math.fround(d * ((j & 1 ? pair >> 4 : pair & 15) | bit)) - m;
        }
      }
    }
  };
}

/** Q6_K: sixteen groups of 16 with a signed scale each; q of 4 bits and 2 bits, less 32. */
function q6k(bytes: Uint8Array, target: Float32Array): void {
  for (let at = 0, to = 0; to < target.length; at += 210, to += 256) {
    const d = half(bytes, at + 208);
    for (let i = 0; i < 256; i++) {
      const part = i >> 7;
      const within = i & 127;
      const pair = bytes[at + 64 * part + (within & 63)]!;
      const low = within < 64 ? pair & 15 : pair >> 4;
      const two = (bytes[at + 128 + 32 * part + (within & 31)]! >> (2 * (within >> 5))) & 3;
      const scale = (bytes[at + 192 + (i >> 4)]! << 24) >> 24;
      target[to + i] = Math.fround(d * scale) * ((low | (two << 4)) - 32);
    }
  }
}

const decoders = {
  F32: (bytes, target) => new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(bytes),
  F16: (bytes, target) => decodeFloat32('F16', bytes, target),
  BF16: (bytes, target) => decodeFloat32('BF16', bytes, target),
  Q4_0: small('Q4_0', (bytes, at, i) => half(bytes, at) * (nibbles(bytes, at + 2, i) - 8)),
  Q4_1: small('Q4_1', (bytes, at, i) => Math.fround(half(bytes, at) * nibbles(bytes, at + 4, i)) + half(bytes, at + 2)),
  Q5_0: small('Q5_0', (bytes, at, i) => half(bytes, at) * ((nibbles(bytes, at + 6, i) | fifth(bytes, at + 2, i)) - 16)),
  Q5_1: small(
    'Q5_1',
    (bytes, at, i) =>
      Math.fround(half(bytes, at) * (nibbles(bytes, at + 8, i) | fifth(bytes, at + 4, i))) + half(bytes, at + 2),
  ),
  Q8_0: small('Q8_0', (bytes, at, i) => half(bytes, at) * ((bytes[at + 2 + i]! << 24) >> 24)),
  Q4_K: large('Q4_K'),
  Q5_K: large('Q5_K'),
  Q6_K: q6k,
} as const satisfies Partial<Record<GgmlType, Decode>>;

/** The types whose elements can be read. */
export type ReadableType = keyof typeof decoders;

/** The types whose elements can be read. */
export const READABLE_TYPES = Object.keys(decoders) as readonly ReadableType[];

/** Whether a type's elements can be read. */
export const isReadable = (type: GgmlType): type is ReadableType => Object.hasOwn(decoders, type);

/**
 * Turns whole blocks into float32.
 *
 * @param bytes the blocks of `target.length` elements; for F16 and BF16 aligned to 2 in their buffer
 */
export function dequantize(type: ReadableType, bytes: Uint8Array, target: Float32Array): void {
  decoders[type](bytes, target);
}
