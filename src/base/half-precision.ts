/*
 * Numbers in 16 bits, rounded from single precision to the nearest, ties to even.
 */

/** Bits of each value's nearest bfloat16: the upper halves of float32. What lies beyond its range becomes infinite. */
export function toBfloat16(x: Float32Array, into: Uint16Array): void {
  const bits = new Int32Array(x.buffer, x.byteOffset, x.length);
  for (let i = 0; i < bits.length; i++) {
    const b = bits[i]!;
    into[i] = (b + 0x7fff + ((b >>> 16) & 1)) >>> 16;
  }
}

/** The values of bfloat16 bits; exact. */
export function fromBfloat16(halves: Uint16Array, into: Float32Array): void {
  const bits = new Int32Array(into.buffer, into.byteOffset, into.length);
  for (let i = 0; i < bits.length; i++) bits[i] = halves[i]! << 16;
}

/** |x| from which a value is rounded to infinity: half a unit above the largest number, 65504. */
export const FLOAT16_LIMIT = 65_520;
/** The same of bfloat16. */
export const BFLOAT16_LIMIT = (2 - 2 ** -8) * 2 ** 127;

const INFINITY = 0x7f800000;
/** Bits of the float32 from which half precision is normal, 2⁻¹⁴, and of 2¹⁶, which it has no more. */
const [NORMAL, BEYOND] = [0x38800000, 0x47800000];
/** What a float32's exponent is ahead of half precision's, 127 - 15, in place. */
const AHEAD = 112 << 23;

/** Bits of each value's nearest IEEE 754 half precision. What lies beyond its range becomes infinite. */
export function toFloat16(x: Float32Array, into: Uint16Array): void {
  const bits = new Int32Array(x.buffer, x.byteOffset, x.length);
  const sum = new Float32Array(1);
  const sumBits = new Int32Array(sum.buffer);
  for (let i = 0; i < bits.length; i++) {
    const b = bits[i]!;
    const magnitude = b & 0x7fffffff;
    let half: number;
    if (magnitude >= BEYOND) half = magnitude > INFINITY ? 0x7e00 : 0x7c00;
    else if (magnitude >= NORMAL) half = (magnitude - AHEAD + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
    else {
      // Subnormal: a float32 from 0.5 on has the same unit, 2⁻²⁴, so that the addition rounds.
      sum[0] = Math.abs(x[i]!) + 0.5;
      half = sumBits[0]! - 0x3f000000;
    }
    into[i] = half | ((b >>> 16) & 0x8000);
  }
}
