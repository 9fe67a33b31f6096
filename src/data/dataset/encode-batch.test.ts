import { expect, it } from 'vitest';
import { BpeTokenizer } from '../tokenizers/bpe.js';
import { BytesTokenizer } from '../tokenizers/bytes.js';
import { END_OF_TEXT } from '../tokenizers/tokenizer-files.js';
import { trainBpe } from '../tokenizers/train-bpe.js';
import { WordCounter } from '../tokenizers/word-counts.js';
import { encodeBatch } from './encode-batch.js';

const batch = {
  bytes: Buffer.from(' endAB'),
  segments: [
    { start: 0, source: 'a', offset: 10, opens: false },
    { start: 4, source: 'b', offset: 0, opens: true },
    { start: 5, source: 'c', offset: 0, opens: true },
  ],
};

it('puts the token between documents before each that begins', () => {
  const model = trainBpe(new WordCounter().result(), { vocabularySize: 257, special: [END_OF_TEXT] });
  const ids = encodeBatch(new BpeTokenizer(model), batch);
  expect(new BpeTokenizer(model).decode(ids)).toBe(` end${END_OF_TEXT}A${END_OF_TEXT}B`);
});

it('puts nothing where there is no such token', () => {
  expect(Buffer.from(encodeBatch(new BytesTokenizer(), batch)).toString()).toBe(' endAB');
  expect(
    encodeBatch(new BytesTokenizer(), {
      bytes: Buffer.from('x'),
      segments: [batch.segments[1]!].map((s) => ({ ...s, start: 0 })),
    }),
  ).toEqual(Uint32Array.of(0x78));
});
