import { expect, it } from 'vitest';
import { MeanfieldError } from '../../base/errors.js';
import { FORMATS } from '../choices.js';
import { checkHeader, encodedBytes, HEADER_BYTES, withHeader } from './format.js';

it('costs 4, 2, 1.0079 and 0.5079 bytes an element', () => {
  const length = 1_000_000;
  const each = FORMATS.map((format) => (encodedBytes(format, length) - HEADER_BYTES) / length);
  expect(each).toEqual([4, 2, 1.007814, 0.507814]);
  expect(FORMATS.map((format) => encodedBytes(format, 257))).toEqual([1040, 526, 273, 145]);
  expect(FORMATS.map((format) => encodedBytes(format, 0))).toEqual([12, 12, 12, 12]);
});

it('writes a header that it reads', () => {
  for (const format of FORMATS) {
    const bytes = withHeader(format, 300);
    expect(bytes.length).toBe(encodedBytes(format, 300));
    expect(() => checkHeader(bytes, format, 300)).not.toThrow();
    // Among other bytes, at an odd place.
    const around = new Uint8Array(bytes.length + 8);
    around.set(bytes, 3);
    expect(() => checkHeader(around.subarray(3, 3 + bytes.length), format, 300)).not.toThrow();
  }
});

const good = withHeader('int8', 300);
const changed = (at: number, to: number) => good.with(at, to);

it.each<[string, Uint8Array, RegExp]>([
  ['nothing', new Uint8Array(0), /0 bytes that do not begin as one does/],
  ['less than a header', good.subarray(0, 11), /11 bytes that do not begin/],
  ['another file', changed(0, 0x7b), /do not begin/],
  ['another version', changed(3, 9), /version 9 of the format, and this Meanfield reads 1/],
  ['another format', withHeader('int4', 300), /int4 where int8 is agreed/],
  ['an unknown format', changed(4, 200), /format 200 where int8 is agreed/],
  ['what is reserved', changed(5, 1), /blocks of/],
  ['other blocks', changed(6, 64), /blocks of 320, not 256/],
  ['another length', withHeader('int8', 299), /299 elements, not 300/],
  ['an absurd length', good.with(11, 0xff), /elements, not 300/],
  ['a cut message', good.subarray(0, good.length - 1), /315 bytes, not 316 for 300 elements/],
  ['a longer message', Uint8Array.of(...good, 0), /317 bytes, not 316/],
])('refuses %s', (_name, bytes, message) => {
  expect(() => checkHeader(bytes, 'int8', 300)).toThrow(message);
  expect(() => checkHeader(bytes, 'int8', 300)).toThrow(MeanfieldError);
});
