import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BpeTokenizer } from './bpe.js';
import { wordEnd } from './pretokenize.js';
import { END_OF_TEXT } from './tokenizer-files.js';
import { type BpeModel, trainBpe } from './train-bpe.js';
import { toBytes } from './utf8.js';
import { WordCounter } from './word-counts.js';

const sample = 'the cat sat on the mat; the cat is the cat. aaaa aaaaaaaa ========== 漢字 漢字 ü ü ü'.repeat(3);
const counter = new WordCounter();
counter.addText(toBytes(sample));
const model = trainBpe(counter.result(), { vocabularySize: 320, special: [END_OF_TEXT] });
const tokenizer = new BpeTokenizer(model);

/** The definition of BPE: merge by merge, in order, over the whole word. */
function encodeSlowly({ tokens, merges }: BpeModel, bytes: Uint8Array): number[] {
  const key = (token: Uint8Array) => Buffer.from(token).toString('latin1');
  const idOf = new Map(tokens.map((token, id) => [key(token), id]));
  const ids: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = wordEnd(bytes, at, bytes.length);
    const word = Array.from(bytes.subarray(at, end), (byte) => idOf.get(key(Uint8Array.of(byte)))!);
    for (const [left, right] of merges) {
      for (let i = 0; i + 1 < word.length; i++) {
        if (word[i] !== left || word[i + 1] !== right) continue;
        word.splice(i, 2, idOf.get(key(tokens[left]!) + key(tokens[right]!))!);
      }
    }
    ids.push(...word);
    at = end;
  }
  return ids;
}

const text = fc
  .array(fc.constantFrom('the', ' cat', ' ', 'a', 'aa', '=', '漢', 'ü', '\xff', '.', '\n', 'zebra'), { maxLength: 60 })
  .map((parts) => Buffer.from(parts.join(''), 'utf8'));

describe('BpeTokenizer', () => {
  it('encodes as the definition says, and gives the bytes back', () => {
    fc.assert(
      fc.property(fc.oneof(text, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        const ids = tokenizer.encode(bytes);
        expect([...ids]).toEqual(encodeSlowly(model, bytes));
        expect(Buffer.from(tokenizer.decodeBytes(ids))).toEqual(Buffer.from(bytes));
      }),
      { numRuns: 500 },
    );
  });

  it('makes the same tokens of a text in parts', () => {
    fc.assert(
      fc.property(text, (bytes) => {
        const cut = tokenizer.lastCut(bytes, bytes.length);
        const parts = [...tokenizer.encode(bytes.subarray(0, cut)), ...tokenizer.encode(bytes.subarray(cut))];
        expect(parts).toEqual([...tokenizer.encode(bytes)]);
      }),
    );
  });

  it('compresses what it was trained on', () => {
    expect(tokenizer.encode('the cat').length).toBe(2);
    expect(tokenizer.encode('').length).toBe(0);
  });

  it('takes the text of its special token for that token, as Hugging Face does', () => {
    const end = tokenizer.endOfText!;
    expect([...tokenizer.encode(`a${END_OF_TEXT}${END_OF_TEXT} a`)]).toEqual([
      ...tokenizer.encode('a'),
      end,
      end,
      ...tokenizer.encode(' a'),
    ]);
    expect(tokenizer.decode([end])).toBe(END_OF_TEXT);
  });

  it('goes on right when its cache starts over', () => {
    const bytes = toBytes(Array.from({ length: 300_000 }, (_, i) => i.toString(36)).join(' '));
    const ids = tokenizer.encode(bytes);
    expect(Buffer.from(tokenizer.decodeBytes(ids)).equals(bytes)).toBe(true);
    expect([...tokenizer.encode('the cat')]).toEqual(encodeSlowly(model, toBytes('the cat')));
  });

  it('refuses ids outside its vocabulary and streams whole characters', () => {
    expect(() => tokenizer.decode([model.tokens.length])).toThrow(/Unknown token id/);
    const stream = tokenizer.streamDecoder();
    const shown = Array.from(tokenizer.encode('x😀'), (id) => stream.push([id]));
    expect(shown.join('') + stream.end()).toBe('x😀');
    expect(shown.every((part) => !part.includes('\ufffd'))).toBe(true);
  });
});
