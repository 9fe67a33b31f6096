import { fromBfloat16, toBfloat16 } from '../../base/half-precision.js';
import type { Engine, SessionOptions } from '../../engine/engine.js';
import { blocksOf, LEAST_SCALE, Quantizer } from '../quantizer.js';
import type { Codec } from './codec.js';
import { allBelow } from './finite.js';
import { checkHeader, encodedBytes, HEADER_BYTES, LIMIT, refuseBytes, refuseValues, withHeader } from './format.js';
import { packNibbles, unpackNibbles } from './nibbles.js';

/** Small integers with one scale a block. After the header come the scales as bfloat16, then the integers. */
export function createQuantizedCodec(engine: Engine, format: 'int8' | 'int4', compile: SessionOptions = {}): Codec {
  const quantizer = new Quantizer(engine, compile);
  const levels = format === 'int8' ? 127 : 7;
  const feedback = format === 'int4';
  return {
    format,
    feedback,
    encodedBytes: (length) => encodedBytes(format, length),
    async encode(x, residual) {
      if (residual && !feedback) throw new Error(`${format} takes no residual`);
      if (!allBelow(x, LIMIT) || (residual && !allBelow(residual, LIMIT))) throw refuseValues(LIMIT);
      const bytes = withHeader(format, x.length);
      const { scaleBits, body } = partsOf(bytes, x.length);
      const codes = format === 'int8' ? asCodes(body) : new Int8Array(x.length);
      const scales = new Float32Array(scaleBits.length);
      await quantizer.quantize(x, levels, { codes, scales }, residual);
      toBfloat16(scales, scaleBits);
      if (format === 'int4') packNibbles(codes, body);
      return bytes;
    },
    async decode(bytes, length) {
      checkHeader(bytes, format, length);
      // Scales want an even place in memory.
      const { scaleBits, body } = partsOf(bytes.byteOffset % 2 === 0 ? bytes : bytes.slice(), length);
      const scales = new Float32Array(scaleBits.length);
      fromBfloat16(scaleBits, scales);
      const wrong = scales.findIndex((scale) => !(scale >= LEAST_SCALE && scale <= LIMIT));
      if (wrong >= 0) throw refuseBytes(`a scale of ${scales[wrong]} in block ${wrong}, not from 2^-100 to 2^120`);
      const codes = format === 'int8' ? asCodes(body) : new Int8Array(length);
      if (format === 'int4') unpackNibbles(body, codes);
      const values = new Float32Array(length);
      await quantizer.dequantize({ codes, scales }, values);
      return values;
    },
    dispose: () => quantizer.dispose(),
  };
}

function partsOf(bytes: Uint8Array, length: number): { scaleBits: Uint16Array; body: Uint8Array } {
  const scaleBits = new Uint16Array(bytes.buffer, bytes.byteOffset + HEADER_BYTES, blocksOf(length));
  return { scaleBits, body: bytes.subarray(HEADER_BYTES + scaleBits.byteLength) };
}

const asCodes = (bytes: Uint8Array): Int8Array => new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
