import { OTHER, SPACE, unicodeClasses } from './unicode-classes.js';
import { codePointAt, codePointLength } from './utf8.js';

const classes = unicodeClasses();

/** The class of a byte below 0x80; 0 for the others, which are part of a longer character. */
const asciiClass = new Uint8Array(256);
asciiClass.set(classes.subarray(0, 128));

/**
 * Where the word (the piece that byte pairs are merged in) that starts at `at` ends, in bytes. The same pieces as
 * GPT-2's pattern (OpenAI's `encoder.py`, ByteLevel in Hugging Face `tokenizers`), found without a regular expression:
 *
 * `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
 *
 * Bytes that are not UTF-8 count as neither letter, number nor space, so they stay in the text.
 */
export function wordEnd(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at]!;
  if (first === 0x27 && at + 1 < end) {
    const length = contractionLength(bytes, at, end);
    if (length > 0) return at + length;
  }
  let from = at;
  if (first === 0x20) {
    if (at + 1 >= end) return end;
    from = at + 1;
  }
  const kind = asciiClass[bytes[from]!] || wideClass(bytes, from, end);
  if (kind !== SPACE) return runEnd(bytes, from, end, kind);
  return spaceEnd(bytes, at, end);
}

/** The end of the run of characters of one class that starts at `at`. */
function runEnd(bytes: Uint8Array, at: number, end: number, kind: number): number {
  while (at < end) {
    const ascii = asciiClass[bytes[at]!]!;
    if (ascii === kind) {
      at++;
    } else if (ascii !== 0 || wideClass(bytes, at, end) !== kind) {
      return at;
    } else {
      at += codePointLength;
    }
  }
  return at;
}

/** White space up to the end of the text, or all but the last character before something else (if it is not alone). */
function spaceEnd(bytes: Uint8Array, at: number, end: number): number {
  let last = at;
  let next = at;
  while (next < end) {
    const ascii = asciiClass[bytes[next]!]!;
    if (ascii !== 0 && ascii !== SPACE) break;
    if (ascii === 0 && wideClass(bytes, next, end) !== SPACE) break;
    last = next;
    next += ascii === 0 ? codePointLength : 1;
  }
  return next === end || last === at ? next : last;
}

function wideClass(bytes: Uint8Array, at: number, end: number): number {
  const point = codePointAt(bytes, at, end);
  return point < 0 ? OTHER : classes[point]!;
}

/** 2 or 3 for 's 't 'm 'd 're 've 'll, else 0. */
function contractionLength(bytes: Uint8Array, at: number, end: number): number {
  const a = bytes[at + 1]!;
  if (a === 0x73 || a === 0x74 || a === 0x6d || a === 0x64) return 2;
  if (at + 2 >= end) return 0;
  const b = bytes[at + 2]!;
  return ((a === 0x72 || a === 0x76) && b === 0x65) || (a === 0x6c && b === 0x6c) ? 3 : 0;
}

/**
 * The largest position in `bytes[from, length)` at which a text can be cut so that both parts give the words of the
 * whole, or 0 if there is none. A word never goes on from something else into white space, so any such place will do;
 * only ASCII white space is looked for.
 */
export function lastWordCut(bytes: Uint8Array, length: number, from = 0): number {
  for (let at = length - 1; at > from; at--) {
    if (asciiClass[bytes[at]!] === SPACE && classBefore(bytes, at) !== SPACE) return at;
  }
  return 0;
}

/** The class of the character that ends before `at`. */
function classBefore(bytes: Uint8Array, at: number): number {
  let start = at - 1;
  while (start > 0 && at - start < 4 && (bytes[start]! & 0xc0) === 0x80) start--;
  const point = codePointAt(bytes, start, at);
  // Otherwise the byte before is no part of a well-formed character.
  return point >= 0 && start + codePointLength === at ? classes[point]! : OTHER;
}
