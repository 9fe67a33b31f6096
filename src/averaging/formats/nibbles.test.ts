import fc from 'fast-check';
import { expect, it } from 'vitest';
import { packNibbles, unpackNibbles } from './nibbles.js';

it('packs two a byte, the first in the lower half', () => {
  const bytes = new Uint8Array(3);
  packNibbles(Int8Array.of(1, -1, -8, 7, -3), bytes);
  expect([...bytes]).toEqual([0xf1, 0x78, 0x0d]);
});

it('unpacks what was packed', () => {
  fc.assert(
    fc.property(fc.int8Array({ min: -8, max: 7 }), (codes) => {
      const bytes = new Uint8Array(Math.ceil(codes.length / 2));
      packNibbles(codes, bytes);
      const back = new Int8Array(codes.length);
      unpackNibbles(bytes, back);
      expect(back).toEqual(codes);
    }),
  );
});
