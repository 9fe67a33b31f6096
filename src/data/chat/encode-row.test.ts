import fc from 'fast-check';
import { expect, it } from 'vitest';
import { BpeTokenizer } from '../tokenizers/bpe.js';
import { BytesTokenizer } from '../tokenizers/bytes.js';
import type { Tokenizer } from '../tokenizers/tokenizer.js';
import { trainBpe } from '../tokenizers/train-bpe.js';
import { WordCounter } from '../tokenizers/word-counts.js';
import { encodeLearned, renderRows } from './encode-row.js';

const none = { render: async () => [] };
const END = '<|im_end|>';

function bpe(text: string): BpeTokenizer {
  const counter = new WordCounter();
  counter.addText(Buffer.from(text));
  return new BpeTokenizer(trainBpe(counter.result(), { vocabularySize: 320, special: [END] }));
}
const tokenizer = bpe('the answer answers: the answers answer the answer. '.repeat(4));
const learnedOf = (which: Tokenizer, text: string, start: number, end: number) => {
  const { ids, flags } = encodeLearned(which, text, [{ start, end }]);
  return which.decode(ids.filter((_, i) => flags[i]));
};

it('learns the tokens that hold learned characters, of the whole text, across the border too', () => {
  const text = `the answer answers${END}`;
  const { ids } = encodeLearned(tokenizer, text, []);
  expect([...ids]).toEqual([...tokenizer.encode(text)]);
  expect(learnedOf(tokenizer, text, 11, text.length)).toBe(` answers${END}`);
  expect(learnedOf(tokenizer, text, 10, text.length)).toBe(` answers${END}`);
  expect(learnedOf(tokenizer, text, 11, 18)).toBe(' answers');
});

it('learns every character that is to be learned, and beside them only their tokens’ own', () => {
  const strings = fc.string({ unit: 'grapheme', maxLength: 12 });
  fc.assert(
    fc.property(strings, strings, strings, (before, inside, after) => {
      const text = before + inside + after;
      const end = before.length + inside.length;
      expect(learnedOf(new BytesTokenizer(), text, before.length, end)).toBe(inside);
      expect(learnedOf(tokenizer, text, before.length, end)).toContain(inside);
    }),
  );
});

it('goes by common beginnings where a tokenizer writes texts otherwise', () => {
  const lower = {
    encode: (text: string) => tokenizer.encode(text.toLowerCase()),
    decode: (ids: ArrayLike<number>) => tokenizer.decode(ids),
    decodeBytes: (ids: ArrayLike<number>) => tokenizer.decodeBytes(ids),
  } as unknown as Tokenizer;
  expect(learnedOf(lower, 'THE ANSWER ANSWERS', 10, 18)).toBe(' answers');
});

it('puts what begins and ends a text around it once', async () => {
  const around = { begin: '<s>', end: '</s>' };
  const rows = [
    { prompt: 'Q', completion: ' A' },
    { prompt: '<s>Q', completion: ' A</s>' },
    { prompt: '', completion: 'A' },
  ];
  expect(await renderRows(rows, around, none)).toEqual([
    { text: '<s>Q A</s>', learned: [{ start: 4, end: 10 }] },
    { text: '<s>Q A</s>', learned: [{ start: 4, end: 10 }] },
    { text: '<s>A</s>', learned: [{ start: 3, end: 8 }] },
  ]);
});
