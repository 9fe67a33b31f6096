import { expect, test } from 'vitest';
import { crc32c } from './crc32c.js';

test.each<[string, Uint8Array, number]>([
  ['the check value of the catalogue', Buffer.from('123456789'), 0xe3069283],
  ['nothing', Buffer.of(), 0],
  ['RFC 3720: 32 zeros', new Uint8Array(32), 0x8a9136aa],
  ['RFC 3720: 32 ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ['RFC 3720: ascending', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ['RFC 3720: descending', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
])('%s', (_, bytes, crc) => {
  expect(crc32c(bytes)).toBe(crc);
});
