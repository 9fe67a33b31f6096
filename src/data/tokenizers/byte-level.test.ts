import { expect, it } from 'vitest';
import { BYTE_CHARACTERS, bytesToToken, tokenToBytes } from './byte-level.js';

it('has the characters of GPT-2 for bytes', () => {
  expect(bytesToToken(Uint8Array.of(0x20, 0x0a, 0x00, 0x7f, 0xa0, 0xad, 0x41, 0xe9))).toBe('ĠĊĀġłŃAé');
  expect(new Set(BYTE_CHARACTERS).size).toBe(256);
});

it('goes back, and refuses characters that stand for no byte', () => {
  const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  expect(tokenToBytes(bytesToToken(all))).toEqual(all);
  expect(tokenToBytes('a b')).toBeUndefined();
  expect(tokenToBytes('漢')).toBeUndefined();
});
