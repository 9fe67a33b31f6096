import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codePointAt, codePointLength, lastCharacterCut, toBytes } from './utf8.js';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The code points of bytes by our decoder, −1 for each ill-formed byte. */
function points(bytes: Uint8Array): number[] {
  const found: number[] = [];
  for (let at = 0; at < bytes.length; at += codePointLength) found.push(codePointAt(bytes, at, bytes.length));
  return found;
}

describe('codePointAt', () => {
  it('reads the code points of any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(points(toBytes(text))).toEqual(Array.from(text, (c) => c.codePointAt(0)));
      }),
    );
  });

  it('finds bytes ill-formed exactly where TextDecoder does', () => {
    // Bytes near the borders of the ranges of UTF-8 are the interesting ones.
    const byte = fc.oneof(
      fc.constantFrom(
        0x7f,
        0x80,
        0x8f,
        0x90,
        0x9f,
        0xa0,
        0xbf,
        0xc0,
        0xc1,
        0xc2,
        0xdf,
        0xe0,
        0xed,
        0xef,
        0xf0,
        0xf4,
        0xf5,
      ),
      fc.integer({ min: 0, max: 255 }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8 }), fc.array(byte, { maxLength: 8 }), (a, b) => {
        for (const bytes of [a, Uint8Array.from(b)]) {
          let well = true;
          try {
            decoder.decode(bytes);
          } catch {
            well = false;
          }
          expect(!points(bytes).includes(-1)).toBe(well);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('lastCharacterCut', () => {
  it('leaves an unfinished character for later', () => {
    for (const character of ['a', 'ä', '€', '😀']) {
      const bytes = toBytes(`x${character}`);
      for (let length = 1; length < bytes.length; length++) expect(lastCharacterCut(bytes, length)).toBe(1);
      expect(lastCharacterCut(bytes, bytes.length)).toBe(bytes.length);
    }
  });

  it('cuts after bytes that cannot become a character', () => {
    expect(lastCharacterCut(Uint8Array.of(0x80, 0x80, 0x80, 0x80), 4)).toBe(4);
    expect(lastCharacterCut(new Uint8Array(0), 0)).toBe(0);
  });
});

it('toBytes makes a lone surrogate U+FFFD and passes bytes on', () => {
  expect([...toBytes('\ud800')]).toEqual([0xef, 0xbf, 0xbd]);
  const bytes = Uint8Array.of(0xff);
  expect(toBytes(bytes)).toBe(bytes);
});
