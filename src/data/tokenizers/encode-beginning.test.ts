import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BytesTokenizer } from './bytes.js';
import { encodeBeginning } from './encode-beginning.js';
import type { Tokenizer } from './tokenizer.js';

/** A tokenizer that keeps how many characters it was given. */
function counted(): { readonly tokenizer: Tokenizer; readonly lengths: number[] } {
  const lengths: number[] = [];
  const bytes = new BytesTokenizer();
  const encode = (text: string | Uint8Array) => {
    lengths.push(text.length);
    return bytes.encode(text);
  };
  return { tokenizer: Object.assign(Object.create(bytes) as Tokenizer, { encode }), lengths };
}

describe('encodeBeginning', () => {
  it('reads all of a text that may fit', () => {
    const text = readFileSync(new URL('encode-beginning.ts', import.meta.url), 'utf8');
    const { tokenizer } = counted();
    expect(encodeBeginning(tokenizer, text, text.length)).toEqual(tokenizer.encode(text));
  });

  it('reads some thousand characters of two million where few tokens are asked for', () => {
    const { tokenizer, lengths } = counted();
    const ids = encodeBeginning(tokenizer, 'some words '.repeat(200_000), 100);
    expect(ids.length).toBeGreaterThan(164);
    expect(Math.max(...lengths)).toBeLessThan(1400);
  });

  it('goes on where tokens are long', () => {
    // A token of each hundred characters.
    const encode = (text: string | Uint8Array) => new Uint32Array(Math.ceil(text.length / 100));
    const tokenizer = Object.assign(Object.create(new BytesTokenizer()) as Tokenizer, { encode });
    const text = 'x'.repeat(100_000);
    expect(encodeBeginning(tokenizer, text, 1000)).toHaveLength(1000);
    expect(encodeBeginning(tokenizer, text, 500).length).toBeGreaterThan(564);
  });

  it('begins as the text does, and never halves a character', () => {
    const { tokenizer } = counted();
    const parts = fc.constantFrom('a', ' ', '\n', 'ü', '😀', 'word');
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 4000 }), fc.integer({ min: 0, max: 50 }), (list, most) => {
        const text = list.join('');
        const [ids, all] = [encodeBeginning(tokenizer, text, most), tokenizer.encode(text)];
        expect(ids).toEqual(all.subarray(0, ids.length));
        if (ids.length < all.length) expect(ids.length).toBeGreaterThan(most + 64);
      }),
    );
  });
});
