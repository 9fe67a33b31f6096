import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MeanfieldError } from '../../base/errors.js';
import { encodeGguf } from './encode.js';
import { type GgufValue, parseGgufHeader } from './header.js';
import type { GgmlType } from './types.js';

const tensor = (name: string, shape: number[], type: GgmlType, bytes: number) => ({
  ...{ name, shape, type },
  data: () => [new Uint8Array(bytes)],
});
const uint32 = (value: number): GgufValue => ({ type: 'UINT32', value });
const string = (value: string): GgufValue => ({ type: 'STRING', value });
const encoded = (metadata: Record<string, GgufValue>, tensors = [tensor('a.weight', [2, 32], 'Q8_0', 68)]) =>
  new Uint8Array(Buffer.concat([...encodeGguf(new Map(Object.entries(metadata)), tensors)]));
const parse = (bytes: Uint8Array) => parseGgufHeader(bytes, bytes.length, 'm.gguf')!;

it('a header comes back, whatever it holds', () => {
  const scalars = {
    UINT8: fc.integer({ min: 0, max: 255 }),
    INT16: fc.integer({ min: -32768, max: 32767 }),
    UINT32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    FLOAT32: fc.float({ noNaN: true }),
    FLOAT64: fc.double({ noNaN: true }),
    BOOL: fc.boolean(),
    STRING: fc.string({ unit: 'grapheme' }),
  };
  const value = fc.constantFrom(...(Object.keys(scalars) as (keyof typeof scalars)[])).chain((type) => {
    const scalar = scalars[type] as fc.Arbitrary<number | boolean | string>;
    return fc.oneof(
      scalar.map((one): GgufValue => ({ type, value: one })),
      fc.array(scalar, { maxLength: 5 }).map((value): GgufValue => ({ type: 'ARRAY', of: type, value })),
    );
  });
  const key = fc.string({ minLength: 1, maxLength: 20 }).filter((name) => name !== 'general.alignment');
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name }), (pairs) => {
      const metadata = new Map(pairs);
      const bytes = Buffer.concat([...encodeGguf(metadata, [tensor('t', [3, 32], 'Q4_0', 54)])]);
      const header = parse(bytes);
      expect([...header.metadata]).toEqual([...metadata]);
      expect(header.tensors.get('t')).toMatchObject({ type: 'Q4_0', shape: [3, 32], length: 96, bytes: 54 });
    }),
  );
});

it('asks for more of a file whose header is longer, and refuses one that was cut', () => {
  const bytes = encoded({ 'general.name': string('x') });
  const end = bytes.indexOf(97, 60);
  for (let length = 4; length < end; length++) {
    expect(parseGgufHeader(bytes.subarray(0, length), bytes.length, 'm.gguf')).toBeUndefined();
    expect(() => parseGgufHeader(bytes.subarray(0, length), length, 'm.gguf')).toThrow(
      /m\.gguf is not a sound GGUF file/,
    );
  }
  expect(() => parse(bytes.subarray(0, bytes.length - 40))).toThrow(
    /ends at byte \d+, and the file has \d+; it was cut/,
  );
});

/** Where the first bytes of something stand. */
const at = (bytes: Uint8Array, what: string) => Buffer.from(bytes).indexOf(what);
function changed(bytes: Uint8Array, place: number, width: 4 | 8, value: bigint): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  if (width === 4) view.setUint32(place, Number(value), true);
  else view.setBigUint64(place, value, true);
  return copy;
}

describe('hostile headers', () => {
  const bytes = encoded({ 'general.name': string('abc'), numbers: { type: 'ARRAY', of: 'INT32', value: [1, 2] } });
  const list = at(bytes, 'numbers') + 'numbers'.length;
  const info = at(bytes, 'a.weight') + 'a.weight'.length;
  it.each([
    ['another magic', changed(bytes, 0, 4, 1n), /does not begin with GGUF/],
    ['version 1', changed(bytes, 4, 4, 1n), /its version is 1, and 2 and 3/],
    ['big-endian', changed(bytes, 4, 4, 0x03000000n), /big-endian/],
    ['2^60 tensors', changed(bytes, 8, 8, 2n ** 60n), /the number of tensors is 1152921504606846976/],
    ['a billion tensors', changed(bytes, 8, 8, 10n ** 9n), /claims 1000000000 tensors/],
    ['2^60 keys', changed(bytes, 16, 8, 2n ** 60n), /the number of keys/],
    ['a key of 2^60', changed(bytes, 24, 8, 2n ** 60n), /length of a key is 1152921504606846976/],
    ['a key of a megabyte', changed(bytes, 24, 8, 2n ** 20n), /a key claims 1048576 bytes/],
    ['a string of 2^60', changed(bytes, at(bytes, 'abc') - 8, 8, 2n ** 60n), /length of .*general\.name/],
    ['a string of 10 MB', changed(bytes, at(bytes, 'abc') - 8, 8, 10n ** 7n), /ends within its header/],
    ['a list of 2^60', changed(bytes, list + 8, 8, 2n ** 60n), /number of elements of .*numbers/],
    ['a list of a billion', changed(bytes, list + 8, 8, 10n ** 9n), /claims 1000000000 elements/],
    ['lists in a list', changed(bytes, list + 4, 4, 9n), /arrays within an array/],
    ['an unknown type', changed(bytes, list, 4, 13n), /"numbers" is of a type 13/],
    ['an unknown type in a list', changed(bytes, list + 4, 4, 99n), /is of a type 99/],
    ['five dimensions', changed(bytes, info, 4, 5n), /has 5 dimensions/],
    ['no dimension', changed(bytes, info, 4, 0n), /has 0 dimensions/],
    ['a size of 2^60', changed(bytes, info + 4, 8, 2n ** 60n), /a size of tensor "a\.weight"/],
    ['sizes beyond any file', changed(bytes, info + 12, 8, 2n ** 50n), /which no file holds/],
    ['a size of 0', changed(bytes, info + 12, 8, 0n), /which no file holds/],
    ['half a block', changed(bytes, info + 4, 8, 16n), /rows of 16, and Q8_0 needs a multiple of 32/],
    ['an unknown type of tensor', changed(bytes, info + 20, 4, 77n), /of a type 77/],
    ['a larger tensor', changed(bytes, info + 12, 8, 2n ** 30n), /it was cut/],
    ['an offset elsewhere', changed(bytes, info + 24, 8, 32n), /starts at byte 32 of the data, expected 0/],
    ['an offset of 2^60', changed(bytes, info + 24, 8, 2n ** 60n), /the offset of tensor/],
    ['alignment of 24', encoded({ 'general.alignment': uint32(24) }), /expected a power of two/],
    ['alignment of 0', encoded({ 'general.alignment': uint32(0) }), /expected a power of two/],
    ['alignment as text', encoded({ 'general.alignment': string('32') }), /\(STRING\), expected a power of two/],
    ['an alignment that was not kept', encoded({ 'general.alignment': uint32(4096) }), /it was cut/],
  ])('%s', (_, hostile, message) => {
    expect(() => parse(hostile)).toThrow(message);
    expect(() => parse(hostile)).toThrow(MeanfieldError);
  });

  it('a key, or a tensor, twice', () => {
    const keys = encoded({ 'one.key': uint32(1), 'two.key': uint32(2) });
    keys.set(Buffer.from('one'), at(keys, 'two.key'));
    expect(() => parse(keys)).toThrow(/the key "one\.key" twice/);
    const tensors = encoded({}, [tensor('one', [8], 'F32', 32), tensor('two', [8], 'F32', 32)]);
    tensors.set(Buffer.from('one'), at(tensors, 'two'));
    expect(() => parse(tensors)).toThrow(/the tensor "one" twice/);
  });

  it('bytes that are no UTF-8, and letters that a terminal obeys', () => {
    const wrong = bytes.slice();
    wrong[at(bytes, 'abc')] = 0xff;
    expect(() => parse(wrong)).toThrow(/"general\.name" is no UTF-8/);
    const escaped = bytes.slice();
    escaped[at(bytes, 'numbers')] = 0x1b;
    expect(() => parse(changed(escaped, list, 4, 13n))).toThrow(/\\u001bumbers/);
  });

  it('any change of any byte is read, or refused in words', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 3 }), (changes) => {
        const copy = bytes.slice();
        for (const [place, byte] of changes) copy[place] = byte;
        try {
          expect(parse(copy).tensors.size).toBeLessThan(2);
        } catch (error) {
          expect(error).toBeInstanceOf(MeanfieldError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
