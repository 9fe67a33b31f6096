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

it('may have a mask token, which is written out', () => {
  const masked = new BytesTokenizer({ mask: true });
  expect([masked.mask, masked.vocabularySize]).toEqual([256, 257]);
  expect(masked.decode([0x61, 256, 256, 0x62])).toBe('a[MASK][MASK]b');
  expect(() => masked.decode([257])).toThrow(/257.*0 to 256/);
  expect([...masked.encode('[MASK]')]).toEqual([...tokenizer.encode('[MASK]')]);
});

it('refuses ids that are no byte', () => {
  expect(() => tokenizer.decode([256])).toThrow(/256.*0 to 255/);
  expect(() => tokenizer.streamDecoder().push([-1])).toThrow(/-1/);
});
