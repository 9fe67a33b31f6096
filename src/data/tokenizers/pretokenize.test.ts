import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lastWordCut, wordEnd } from './pretokenize.js';
import { toBytes } from './utf8.js';

// GPT-2's own pattern, with \s as Python has it.
const WS = '[\\p{White_Space}]';
const PATTERN = new RegExp(
  `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\p{White_Space}\\p{L}\\p{N}]+|${WS}+(?!\\P{White_Space})|${WS}+`,
  'gu',
);

function words(bytes: Uint8Array): string[] {
  const found: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = wordEnd(bytes, at, bytes.length);
    found.push(Buffer.from(bytes.subarray(at, end)).toString('latin1'));
    at = end;
  }
  return found;
}

const asLatin1 = (text: string) => Buffer.from(text).toString('latin1');

/** Texts of characters between which the pattern decides. */
const text = fc
  .array(
    fc.constantFrom(
      ...[
        'a',
        'Z',
        'é',
        'ж',
        '漢',
        '𝔸',
        '1',
        '½',
        '٣',
        ' ',
        ' ',
        ' ',
        '\n',
        '\t',
        '\r\n',
        '\u00a0',
        '\u2003',
        '\u3000',
      ],
      ...[
        "'",
        "'s",
        "'re",
        "'ve",
        "'ll",
        "'d",
        "'S",
        'l',
        'r',
        'v',
        'e',
        's',
        '!',
        '_',
        '😀',
        '\u0301',
        '\x85',
        '\ufeff',
      ],
    ),
    { maxLength: 24 },
  )
  .map((parts) => parts.join(''));

describe('wordEnd', () => {
  it('finds the words of the regular expression', () => {
    fc.assert(
      fc.property(text, (t) => {
        expect(words(toBytes(t))).toEqual(Array.from(t.matchAll(PATTERN), ([word]) => asLatin1(word)));
      }),
      { numRuns: 5000 },
    );
  });

  it('goes forward over any bytes, to the end and not beyond', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(words(bytes).join('')).toBe(Buffer.from(bytes).toString('latin1'));
      }),
      { numRuns: 2000 },
    );
  });

  it('keeps bytes that are not UTF-8 together with other signs', () => {
    expect(words(Uint8Array.of(0x61, 0x20, 0xff, 0xc3, 0x21, 0x62))).toEqual(['a', ' \xff\xc3!', 'b']);
  });
});

describe('lastWordCut', () => {
  it('cuts where the words of both parts are those of the whole', () => {
    fc.assert(
      fc.property(text, (t) => {
        const bytes = toBytes(t);
        const cut = lastWordCut(bytes, bytes.length);
        expect([...words(bytes.subarray(0, cut)), ...words(bytes.subarray(cut))]).toEqual(words(bytes));
      }),
      { numRuns: 5000 },
    );
  });

  it('finds the last such place, or none', () => {
    const cut = (t: string) => lastWordCut(toBytes(t), toBytes(t).length);
    expect(cut('one two three')).toBe(7);
    expect(cut('one two\n\n')).toBe(7);
    expect(cut('über漢字。\nx')).toBe(14);
    expect([cut('unbroken'), cut(' x'), cut('\u3000 x'), cut('')]).toEqual([0, 0, 0, 0]);
    expect(lastWordCut(toBytes('one two'), 7, 4)).toBe(0);
  });
});
