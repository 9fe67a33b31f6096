import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { binaryReason } from './binary.js';

it('takes text for text, in any script, with colours, in Latin-1', () => {
  expect(binaryReason(Buffer.from('plain\r\n\ttext \x1b[31mred\x1b[0m'))).toBeUndefined();
  expect(binaryReason(Buffer.from('漢字かな交じり文😀'))).toBeUndefined();
  expect(binaryReason(Buffer.from('Die Größe der Übung ist schön.', 'latin1'))).toBeUndefined();
  expect(binaryReason(Uint8Array.of(0xcf, 0xd2, 0xc9, 0xd7, 0xc5, 0xd4))).toBeUndefined();
  expect(binaryReason(Uint8Array.of(0xff, 0xfe, 0x61))).toBeUndefined();
  expect(binaryReason(new Uint8Array(0))).toBeUndefined();
});

it('tells what makes a file binary', () => {
  expect(binaryReason(Buffer.from('ab\0c'))).toBe('it has a NUL byte at 2');
  expect(binaryReason(Buffer.from('\ufeffhi', 'utf16le'))).toMatch(/UTF-16/);
  const packed = gzipSync(Buffer.from(Array.from({ length: 500 }, (_, i) => (i * i * 7919) % 1009).join(' '))).filter(
    (byte) => byte !== 0,
  );
  expect(binaryReason(packed.subarray(3))).toMatch(/% of its first bytes are control characters/);
});
