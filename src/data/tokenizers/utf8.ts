/** The length in bytes of the code point that {@link codePointAt} last returned; 1 for an ill-formed byte. */
export let codePointLength = 1;

/**
 * The code point that starts at `at`, or −1 where the bytes are not well-formed UTF-8 (Unicode 15, table 3-7: no
 * overlong forms, no surrogates, nothing beyond U+10FFFF) or end before `end` allows. Its length is left in
 * {@link codePointLength}: a pair of results without an object for every character.
 */
export function codePointAt(bytes: Uint8Array, at: number, end: number): number {
  const a = bytes[at]!;
  codePointLength = 1;
  if (a < 0x80) return a;
  if (a < 0xc2 || a > 0xf4 || at + 1 >= end) return -1;
  const b = bytes[at + 1]!;
  if ((b & 0xc0) !== 0x80) return -1;
  if (a < 0xe0) {
    codePointLength = 2;
    return ((a & 0x1f) << 6) | (b & 0x3f);
  }
  if (at + 2 >= end) return -1;
  const c = bytes[at + 2]!;
  if ((c & 0xc0) !== 0x80) return -1;
  if (a < 0xf0) {
    const point = ((a & 0x0f) << 12) | ((b & 0x3f) << 6) | (c & 0x3f);
    if (point < 0x800 || (point >= 0xd800 && point <= 0xdfff)) return -1;
    codePointLength = 3;
    return point;
  }
  if (at + 3 >= end) return -1;
  const d = bytes[at + 3]!;
  if ((d & 0xc0) !== 0x80) return -1;
  const point = ((a & 0x07) << 18) | ((b & 0x3f) << 12) | ((c & 0x3f) << 6) | (d & 0x3f);
  if (point < 0x10000 || point > 0x10ffff) return -1;
  codePointLength = 4;
  return point;
}

/**
 * The largest position at which `bytes[0, length)` can be cut without breaking a character: `length`, or up to three
 * bytes less where the text ends in the middle of one. Bytes that can never become a character stay before the cut.
 */
export function lastCharacterCut(bytes: Uint8Array, length: number): number {
  for (let back = 1; back <= 3 && back <= length; back++) {
    const byte = bytes[length - back]!;
    if ((byte & 0xc0) === 0x80) continue;
    const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return needs > back ? length - back : length;
  }
  return length;
}

const encoder = new TextEncoder();

/** Text as UTF-8 (a lone surrogate becomes U+FFFD); bytes as they are. */
export function toBytes(text: string | Uint8Array): Uint8Array {
  return typeof text === 'string' ? encoder.encode(text) : text;
}
