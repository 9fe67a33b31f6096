import { expect, it } from 'vitest';
import { BytesTokenizer } from './bytes.js';

const tokenizer = new BytesTokenizer();

it('has one token a byte and loses none', () => {
  const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  expect([...tokenizer.encode(all)]).toEqual([...all]);
  expect(tokenizer.decodeBytes(tokenizer.encode(all))).toEqual(all);
  expect([...tokenizer.encode('é')]).toEqual([0xc3, 0xa9]);
  expect(tokenizer.decode([0xc3, 0xa9, 0xff])).toBe('é\ufffd');
  expect(tokenizer.lastCut(all, 100)).toBe(100);
});

it('refuses ids that are no byte', () => {
  expect(() => tokenizer.decode([256])).toThrow(/256.*0 to 255/);
  expect(() => tokenizer.streamDecoder().push([-1])).toThrow(/-1/);
});
