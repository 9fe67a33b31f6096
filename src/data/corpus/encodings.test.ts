import { expect, it } from 'vitest';
import { encodingHint, guessEncoding, unicodeName } from './encodings.js';
import { Utf8Watch } from './utf8-watch.js';

/** Text in UTF-32, which Buffer does not write. */
function utf32(text: string, littleEndian: boolean): Buffer {
  const points = Array.from(text, (character) => character.codePointAt(0)!);
  const bytes = Buffer.alloc(4 * points.length);
  for (const [i, point] of points.entries()) {
    if (littleEndian) bytes.writeUInt32LE(point, 4 * i);
    else bytes.writeUInt32BE(point, 4 * i);
  }
  return bytes;
}

const text = 'A ship was seen at dawn, größer als zuvor.';
const utf16be = (value: string) => Buffer.from(value, 'utf16le').swap16();

it.each([
  ['UTF-16', Buffer.from(`\ufeff${text}`, 'utf16le')],
  ['UTF-16', utf16be(`\ufeff${text}`)],
  ['UTF-16', Buffer.from('\ufeff漢字漢字漢字漢字', 'utf16le')],
  ['UTF-16LE', Buffer.from('此开卷第一回也。作者自云\n', 'utf16le')],
  ['UTF-16BE', utf16be('此开卷第一回也。作者自云\n')],
  ['UTF-16LE', Buffer.from(text, 'utf16le')],
  ['UTF-16BE', utf16be(text)],
  ['UTF-32', utf32(`\ufeff${text}`, true)],
  ['UTF-32', utf32(`\ufeff${text}`, false)],
  ['UTF-32LE', utf32(text, true)],
  ['UTF-32BE', utf32(`漢字${text}`, false)],
  [undefined, Buffer.from(text)],
  [undefined, Buffer.from(text, 'latin1')],
  [undefined, Buffer.from('a\0b')],
  [undefined, Buffer.from(`${text}\0${text}`)],
  [undefined, Buffer.from(`${text}\0 ${text}`)],
  [undefined, Buffer.from('Only letters of Latin here, and a\0')],
  ['UTF-16LE', Buffer.from('Все счастливые семьи похожи друг на друга.\n', 'utf16le')],
])('names %s', (name, bytes) => {
  expect(unicodeName(bytes)).toBe(name);
});

it('guesses at encodings of eight bits', () => {
  // 此开卷第一回也。作者自云, several times, in GBK.
  const gbk = Buffer.from('b4cbbfaabeedb5dad2bbbbd8d2b2a1a3d7f7d5dfd7d4d4c6'.repeat(4), 'hex');
  expect(guessEncoding(gbk)).toBe('GB18030');
  expect(encodingHint('GB18030', 'a.txt')).toMatch(/GB18030 \(GBK is a part of it\).*iconv -f GB18030 -t UTF-8 a\.txt/);
  expect(guessEncoding(Buffer.from('Die Größe der Übung ist schön, müde Vögel hören früh.', 'latin1'))).toMatch(
    /8859|1252/,
  );
  expect(encodingHint('')).toBe('');
});

it('watches a text in any pieces', () => {
  const watch = (bytes: Buffer, size: number) => {
    const utf8 = new Utf8Watch();
    for (let at = 0; at < bytes.length; at += size) utf8.add(bytes.subarray(at, at + size));
    utf8.end();
    return utf8.found;
  };
  for (const size of [1, 2, 3, 5, 100]) {
    expect(watch(Buffer.from('aé漢😀'), size)).toBeUndefined();
    expect(watch(Buffer.from('aé漢😀').subarray(0, -1), size)).toBe('');
    expect(watch(Buffer.from('abc\xe9', 'latin1'), size)).toBeDefined();
    expect(watch(Buffer.from('abc\xe9def', 'latin1'), size)).toBeDefined();
  }
});
