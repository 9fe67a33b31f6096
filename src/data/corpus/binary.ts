import { codePointAt, codePointLength, lastCharacterCut } from '../tokenizers/utf8.js';

/** How many bytes of a file's start {@link binaryReason} should see. */
export const SNIFF_BYTES = 1 << 16;

/**
 * Why the start of a file is not text, or undefined when it is. Text in another encoding than UTF-8 passes, since the
 * byte tokenizers can learn it: only a NUL byte, or more than three bytes in ten that are control characters or not
 * UTF-8, make a file binary.
 */
export function binaryReason(start: Uint8Array): string | undefined {
  if ((start[0] === 0xff && start[1] === 0xfe) || (start[0] === 0xfe && start[1] === 0xff)) {
    return 'it is UTF-16, not UTF-8: convert it, for example with iconv -f UTF-16 -t UTF-8';
  }
  const nul = start.indexOf(0);
  if (nul >= 0) return `it has a NUL byte at ${nul}`;
  const end = lastCharacterCut(start, start.length);
  let strange = 0;
  for (let at = 0; at < end; at += codePointLength) {
    const point = codePointAt(start, at, end);
    if (point < 0 || (point < 0x20 && !(point >= 0x08 && point <= 0x0d) && point !== 0x1b)) strange++;
  }
  if (strange * 10 > end * 3) return `${Math.round((100 * strange) / end)} % of its first bytes are not text`;
  return undefined;
}
