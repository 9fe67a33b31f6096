import { MeanfieldError } from '../../base/errors.js';
import { FORMATS, type Format } from '../choices.js';
import { BLOCK, blocksOf } from '../quantizer.js';

/** Rounded formats take |x| below this: neither a sum with a residual nor a scale times a code overflows. */
export const LIMIT = 2 ** 120;

/** Written in front of the numbers: `MFV`, the version, the format's place in {@link FORMATS}, 0, block, elements. */
export const HEADER_BYTES = 12;
const MAGIC = [0x4d, 0x46, 0x56];
const VERSION = 1;

const blockOf = (format: Format): number => (format === 'int8' || format === 'int4' ? BLOCK : 0);

/** Bytes of `length` elements, header included. */
export function encodedBytes(format: Format, length: number): number {
  switch (format) {
    case 'fp32':
      return HEADER_BYTES + 4 * length;
    case 'bf16':
      return HEADER_BYTES + 2 * length;
    case 'int8':
      return HEADER_BYTES + 2 * blocksOf(length) + length;
    case 'int4':
      return HEADER_BYTES + 2 * blocksOf(length) + Math.ceil(length / 2);
  }
}

/** A buffer of the right size for `length` elements, its header written. */
export function withHeader(format: Format, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(encodedBytes(format, length));
  bytes.set([...MAGIC, VERSION, FORMATS.indexOf(format), 0]);
  const fields = new DataView(bytes.buffer);
  fields.setUint16(6, blockOf(format), true);
  fields.setUint32(8, length, true);
  return bytes;
}

/**
 * Checks that bytes hold `length` elements in `format`.
 *
 * @throws MeanfieldError that says what they hold instead
 */
export function checkHeader(bytes: Uint8Array, format: Format, length: number): void {
  if (bytes.length < HEADER_BYTES || MAGIC.some((byte, i) => bytes[i] !== byte))
    throw refuseBytes(`${bytes.length} bytes that do not begin as one does`);
  if (bytes[3] !== VERSION)
    throw refuseBytes(
      `version ${bytes[3]} of the format, and this Meanfield reads ${VERSION}: use the same on all machines`,
    );
  const fields = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const found = FORMATS[bytes[4]!];
  if (found !== format) throw refuseBytes(`${found ?? `format ${bytes[4]}`} where ${format} is agreed`);
  if (bytes[5] !== 0 || fields.getUint16(6, true) !== blockOf(format))
    throw refuseBytes(`blocks of ${fields.getUint16(6, true)}, not ${blockOf(format)}`);
  if (fields.getUint32(8, true) !== length) throw refuseBytes(`${fields.getUint32(8, true)} elements, not ${length}`);
  const expected = encodedBytes(format, length);
  if (bytes.length !== expected) throw refuseBytes(`${bytes.length} bytes, not ${expected} for ${length} elements`);
}

/** For bytes that came from outside. */
export const refuseBytes = (what: string): MeanfieldError =>
  new MeanfieldError(`A part of a vector cannot be read: it has ${what}.`);

/** For values that are to be sent. */
export const refuseValues = (limit: number): MeanfieldError =>
  new MeanfieldError(
    `A part of a vector cannot be sent: it has NaN or a value of ${limit} or more. ` +
      'Lower the learning rate or check the data.',
  );
