/** Bits of each value's nearest bfloat16, ties to even: the upper halves of float32. For |x| < 2¹²⁷, all finite then. */
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
