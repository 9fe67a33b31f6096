/** How many bytes of a file's start {@link binaryReason} should see. */
export const SNIFF_BYTES = 1 << 16;

/**
 * Why the start of a file is not text, or undefined when it is. Text in another 8-bit encoding than UTF-8 passes, since
 * the byte tokenizers can learn it: only a NUL byte, or more than one control character in twenty bytes (packed data
 * has two), make a file binary.
 */
export function binaryReason(start: Uint8Array): string | undefined {
  const nul = start.indexOf(0);
  if (nul >= 0 && ((start[0] === 0xff && start[1] === 0xfe) || (start[0] === 0xfe && start[1] === 0xff))) {
    return 'it is UTF-16, not UTF-8: convert it, for example with iconv -f UTF-16 -t UTF-8';
  }
  if (nul >= 0) return `it has a NUL byte at ${nul}`;
  let controls = 0;
  for (const byte of start) {
    // Backspace, white space and escape are used in text.
    if (byte === 0x7f || (byte < 0x20 && !(byte >= 0x08 && byte <= 0x0d) && byte !== 0x1b)) controls++;
  }
  if (controls * 20 <= start.length) return undefined;
  return `${Math.round((100 * controls) / start.length)} % of its first bytes are control characters`;
}
