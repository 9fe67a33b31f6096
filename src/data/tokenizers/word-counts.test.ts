import { expect, it } from 'vitest';
import { toBytes } from './utf8.js';
import { WordCounter, type WordCounts } from './word-counts.js';

function asMap({ bytes, ends, counts }: WordCounts): Record<string, number> {
  const text = (word: number) => Buffer.from(bytes.subarray(ends[word - 1] ?? 0, ends[word])).toString();
  return Object.fromEntries(Array.from(counts, (count, word) => [text(word), count]));
}

it('counts the words of texts', () => {
  const counter = new WordCounter();
  counter.addText(toBytes('the cat, the dog'));
  counter.addText(toBytes('xx the xx'), 2, 6);
  expect(asMap(counter.result())).toEqual({ the: 1, ' cat': 1, ',': 1, ' the': 2, ' dog': 1 });
});

it('adds up what several counters found', () => {
  const [a, b, both] = [new WordCounter(), new WordCounter(), new WordCounter()];
  a.addText(toBytes('a b b'));
  b.addText(toBytes('b c b'));
  both.addCounts(a.result());
  both.addCounts(b.result());
  expect(asMap(both.result())).toEqual({ a: 1, ' b': 3, b: 1, ' c': 1 });
});

it('goes beyond its first size', () => {
  const counter = new WordCounter();
  counter.addText(toBytes(Array.from({ length: 5000 }, (_, i) => `w${i}`).join(' ')));
  const counts = asMap(counter.result());
  expect([counts.w, counts[' w'], counts['4999'], counts['0']]).toEqual([1, 4999, 1, 1]);
});
