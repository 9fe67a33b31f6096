/** Bytes an element of each type takes, under the names that the safetensors format gives them. */
export const DTYPE_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
} as const;

/** The type of a tensor's elements in a safetensors file. */
export type Dtype = keyof typeof DTYPE_BYTES;

/** Whether a name read from a file is one of the types we know. */
export function isDtype(name: unknown): name is Dtype {
  return typeof name === 'string' && Object.hasOwn(DTYPE_BYTES, name);
}

/** The types that {@link decodeFloat32} turns into single precision. F16 and BF16 lose nothing, F64 is rounded. */
export const FLOAT_DTYPES = ['F32', 'F16', 'BF16', 'F64'] as const satisfies readonly Dtype[];

/** A type that can be read as single precision. */
export type FloatDtype = (typeof FLOAT_DTYPES)[number];

/** Whether tensors of a type can be read as single precision. */
export function isFloatDtype(dtype: Dtype): dtype is FloatDtype {
  return (FLOAT_DTYPES as readonly Dtype[]).includes(dtype);
}

/**
 * Turns little-endian numbers into single precision.
 *
 * @param bytes `target.length` elements of `dtype`; aligned to the element's size in their buffer
 */
export function decodeFloat32(dtype: Exclude<FloatDtype, 'F32'>, bytes: Uint8Array, target: Float32Array): void {
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
  switch (dtype) {
    case 'F64':
      target.set(new Float64Array(bytes.buffer, bytes.byteOffset, target.length));
      return;
    case 'BF16': {
      const source = new Uint16Array(bytes.buffer, bytes.byteOffset, target.length);
      for (let i = 0; i < source.length; i++) bits[i] = source[i]! << 16;
      return;
    }
    case 'F16': {
      const source = new Uint16Array(bytes.buffer, bytes.byteOffset, target.length);
      for (let i = 0; i < source.length; i++) bits[i] = halfToSingleBits(source[i]!);
      return;
    }
  }
}

/** IEEE 754 half precision to the bits of single precision: 5 exponent bits (bias 15) become 8 (bias 127). */
function halfToSingleBits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13);
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  // A subnormal half is a normal single: move the highest set bit to the implicit place.
  const shift = Math.clz32(fraction) - 21;
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
}
