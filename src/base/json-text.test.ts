import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJsonBytes } from './json-text.js';

const utf8 = (text: string) => new TextEncoder().encode(text);
const utf16 = (text: string, bigEndian: boolean, mark: string) => {
  const bytes = new Uint8Array(Buffer.from(mark + text, 'utf16le'));
  return bigEndian ? new Uint8Array(Buffer.from(bytes).swap16()) : bytes;
};

describe('parseJsonBytes', () => {
  const text = '{"a": "é"}';
  it.each([
    ['UTF-8', utf8(text)],
    ['UTF-8 with a mark', utf8(`\ufeff${text}`)],
    ['UTF-16, little end first', utf16(text, false, '\ufeff')],
    ['UTF-16, big end first', utf16(text, true, '\ufeff')],
    ['UTF-16 without a mark', utf16(text, false, '')],
    ['the other without a mark', utf16(text, true, '')],
  ])('reads %s', (_, bytes) => expect(parseJsonBytes(bytes).value).toEqual({ a: 'é' }));

  it.each([
    ['{\n  // why\n "a": 1}', 'line 2, column 3 has a comment, which JSON does not have: delete it'],
    ['/* why */ {}', 'line 1, column 1 has a comment'],
    ['{"a": NaN}', 'line 1, column 7 has NaN, which JSON does not have: write null'],
    ['{"a": -Infinity}', 'has -Infinity, which'],
    ['{"a": 1,\n}', 'line 1, column 8 has a comma with nothing after it: delete it'],
    ['["a, ]", 1, ]', 'line 1, column 11 has a comma'],
    ["{'a': 1}", 'has a single quote'],
    ['{"a": True}', 'has True as Python writes it'],
    ['{"url": "https://x', /Unterminated|not valid JSON/],
    ['{"a" 1}', /Expected ':'|not valid JSON|Unexpected/],
    ['', 'it is empty'],
    [' \n', 'it is empty'],
  ])('tells what is wrong with %j', (wrong, message) => expect(() => parseJsonBytes(utf8(wrong))).toThrow(message));

  it('refuses bytes that are no text', () => {
    expect(() => parseJsonBytes(Uint8Array.of(0x22, 0xff, 0x22))).toThrow('its bytes are no UTF-8 text');
    expect(() => parseJsonBytes(Uint8Array.of(0xff, 0xfe, 0x22))).toThrow('its bytes are no UTF-16LE text');
  });

  it('reads what JSON.parse reads, and nothing else', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        expect(parseJsonBytes(utf8(json)).value).toEqual(JSON.parse(json));
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          parseJsonBytes(bytes);
        } catch (error) {
          expect((error as Error).message).toMatch(/./);
        }
      }),
    );
  });
});
