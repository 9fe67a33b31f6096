import { fromBfloat16, toBfloat16 } from './bfloat16.js';
import type { Codec } from './codec.js';
import { allBelow } from './finite.js';
import { checkHeader, encodedBytes, HEADER_BYTES, LIMIT, refuseBytes, refuseValues, withHeader } from './format.js';

/** The bytes as halves; a copy where they do not lie at an even place. */
const halvesOf = (body: Uint8Array): Uint16Array =>
  body.byteOffset % 2 === 0
    ? new Uint16Array(body.buffer, body.byteOffset, body.length / 2)
    : new Uint16Array(body.slice().buffer);

/** Numbers one by one: as they are (`fp32`, a copy) or the nearest bfloat16 (`bf16`). */
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
    async decode(bytes, into) {
      checkHeader(bytes, format, into.length);
      const body = bytes.subarray(HEADER_BYTES);
      if (format === 'fp32') new Uint8Array(into.buffer, into.byteOffset, body.length).set(body);
      else fromBfloat16(halvesOf(body), into);
      if (!allBelow(into, Number.POSITIVE_INFINITY)) throw refuseBytes('NaN or infinity');
    },
    async dispose() {},
  };
}
