import { describe, expect, it } from 'vitest';
import { CharacterSet, CharsTokenizer } from './chars.js';
import { EncodeError } from './tokenizer.js';
import { toBytes } from './utf8.js';

const set = new CharacterSet();
set.add(toBytes('ba\nä😀'));
const tokenizer = new CharsTokenizer(set.points());

describe('CharsTokenizer', () => {
  it('numbers the characters of a corpus by code point', () => {
    expect(set.points()).toEqual([0x0a, 0x61, 0x62, 0xe4, 0x1f600]);
    expect([...tokenizer.encode('a😀b\n')]).toEqual([1, 4, 2, 0]);
    expect(tokenizer.decode([4, 3])).toBe('😀ä');
    expect(tokenizer.vocabularySize).toBe(5);
    expect(() => new CharsTokenizer([])).toThrow(/at least one character/);
  });

  it('refuses an unknown character and invalid UTF-8 with the offset in bytes', () => {
    expect(() => tokenizer.encode('äé')).toThrow(/"é" \(U\+00E9\) is not in this tokenizer's vocabulary: at byte 2/);
    expect(() => tokenizer.encode(Uint8Array.of(0x61, 0x62, 0xff))).toThrow(/Invalid UTF-8.*0xff at byte 2/);
    try {
      set.add(Uint8Array.of(0x61, 0xed, 0xa0, 0x80));
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(EncodeError);
      expect((error as EncodeError).offset).toBe(1);
    }
  });

  it('refuses ids that no character has', () => {
    expect(() => tokenizer.decode([5])).toThrow(/Unknown token id 5.*0 to 4/);
    expect(() => tokenizer.decode([-1])).toThrow(/Unknown token id/);
  });

  it('may have a mask token after the characters, which no text becomes', () => {
    const masked = new CharsTokenizer([0x5b, 0x5d, 0x41, 0x4b, 0x4d, 0x53], { mask: true });
    expect([masked.mask, masked.vocabularySize]).toEqual([6, 7]);
    expect([...masked.encode('[MASK]')]).toEqual([0, 4, 2, 5, 3, 1]);
    expect(masked.decode([0, 6, 1])).toBe('[[MASK]]');
    expect(() => masked.decode([7])).toThrow(/Unknown token id 7.*0 to 6/);
  });

  it('cuts between characters and streams whole ones', () => {
    const bytes = toBytes('a😀');
    expect([tokenizer.lastCut(bytes, 4), tokenizer.lastCut(bytes, 5)]).toEqual([1, 5]);
    const stream = tokenizer.streamDecoder();
    expect([stream.push([4]), stream.push([1, 2]), stream.end()]).toEqual(['😀', 'ab', '']);
  });
});
