import { expect, it } from 'vitest';
import { BpeTokenizer } from './bpe.js';
import { parseTokenizer } from './parse.js';
import { findSentinels, SENTINELS, withSentinels } from './sentinel-tokens.js';
import { END_OF_TEXT } from './tokenizer-files.js';

const plain = {
  tokens: [new Uint8Array(0), ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte))],
  merges: [],
  special: new Map([[0, END_OF_TEXT]]),
};

it('sentinels have the last ids, go down from the first, and no text becomes them', async () => {
  const tokenizer = new BpeTokenizer(withSentinels(plain));
  expect(tokenizer.vocabularySize).toBe(257 + SENTINELS);
  expect(tokenizer.sentinels).toEqual({ first: 256 + SENTINELS, count: SENTINELS });
  expect(tokenizer.decode([256 + SENTINELS, 256 + SENTINELS - 1])).toBe('<extra_id_0><extra_id_1>');
  expect(Math.max(...tokenizer.encode('a<extra_id_0>b'))).toBeLessThan(257);
  const again = await parseTokenizer(tokenizer.files(), 'test');
  expect([again.kind, again.sentinels, again.endOfText]).toEqual(['bpe', tokenizer.sentinels, 0]);
  expect(new BpeTokenizer(plain).sentinels).toBeUndefined();
});

it('counts those alone whose ids go down one by one', () => {
  const found = (ids: Readonly<Record<string, number>>) => findSentinels((name) => ids[name]);
  expect(found({})).toBeUndefined();
  expect(found({ '<extra_id_1>': 3 })).toBeUndefined();
  expect(found({ '<extra_id_0>': 9, '<extra_id_1>': 8, '<extra_id_2>': 7 })).toEqual({ first: 9, count: 3 });
  expect(found({ '<extra_id_0>': 9, '<extra_id_1>': 10 })).toEqual({ first: 9, count: 1 });
});
