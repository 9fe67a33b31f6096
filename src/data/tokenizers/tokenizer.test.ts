import { expect, it } from 'vitest';
import { byteStreamDecoder, bytesToText, EncodeError, unknownId } from './tokenizer.js';

it('a stream decoder never emits half a character', () => {
  const stream = byteStreamDecoder((ids) => Uint8Array.from(ids));
  const bytes = Buffer.from('\ufeffa€😀');
  const shown = Array.from(bytes, (byte) => stream.push([byte]));
  expect(shown).toEqual(['', '', '\ufeff', 'a', '', '', '€', '', '', '', '😀']);
  expect(stream.end()).toBe('');
  expect([stream.push([0xe2, 0x82]), stream.end()]).toEqual(['', '\ufffd']);
});

it('bytesToText keeps a byte order mark and shows what is not UTF-8', () => {
  expect(bytesToText(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61, 0xff))).toBe('\ufeffa\ufffd');
});

it('errors name the place', () => {
  expect(new EncodeError('Bad', 7, 'a.txt').message).toBe('Bad at byte 7 of a.txt.');
  expect(new EncodeError('Bad', 7).message).toBe('Bad at byte 7.');
  expect(unknownId(99, 65).message).toMatch(/99: .* from 0 to 64/);
});
