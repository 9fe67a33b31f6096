import { fromBfloat16, toBfloat16 } from '../../base/half-precision.js';
import type { Codec } from './codec.js';
import { allBelow } from './finite.js';
import { checkHeader, encodedBytes, HEADER_BYTES, LIMIT, refuseBytes, refuseValues, withHeader } from './format.js';

/** The bytes as halves; a copy where they do not lie at an even place. */
const halvesOf = (body: Uint8Array): Uint16Array =>
  body.byteOffset % 2 === 0
    ? new Uint16Array(body.buffer, body.byteOffset, body.length / 2)
    : new Uint16Array(body.slice().buffer);

/** The bytes as floats; a copy where they do not lie at a fourth place. */
const floatsOf = (body: Uint8Array): Float32Array =>
  body.byteOffset % 4 === 0
    ? new Float32Array(body.buffer, body.byteOffset, body.length / 4)
    : new Float32Array(body.slice().buffer);

/** Numbers one by one: as they are (`fp32`) or the nearest bfloat16 (`bf16`). */
export function createPlainCodec(format: 'fp32' | 'bf16'): Codec {
  const limit = format === 'fp32' ? Number.POSITIVE_INFINITY : LIMIT;
  return {
    format,
    feedback: false,
    encodedBytes: (length) => encodedBytes(format, length),
    async encode(x, residual) {
      if (residual) throw new Error(`${format} takes no residual`);
      if (!allBelow(x, limit)) throw refuseValues(limit);
      const bytes = withHeader(format, x.length);
      if (format === 'fp32') new Float32Array(bytes.buffer, HEADER_BYTES).set(x);
      else toBfloat16(x, new Uint16Array(bytes.buffer, HEADER_BYTES));
      return bytes;
    },
    async decode(bytes, length) {
      checkHeader(bytes, format, length);
      const body = bytes.subarray(HEADER_BYTES);
      const values = format === 'fp32' ? floatsOf(body) : new Float32Array(length);
      if (format === 'bf16') fromBfloat16(halvesOf(body), values);
      if (!allBelow(values, Number.POSITIVE_INFINITY)) throw refuseBytes('NaN or infinity');
      return values;
    },
    async dispose() {},
  };
}
