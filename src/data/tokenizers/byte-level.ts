/**
 * The printable character that stands for each byte in the vocabulary of a byte-level tokenizer (`bytes_to_unicode` of
 * GPT-2's `encoder.py`): itself where it is printable in Latin-1, else the next of U+0100, U+0101, ...
 */
export const BYTE_CHARACTERS: readonly string[] = (() => {
  const characters: string[] = [];
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable =
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
    characters.push(String.fromCharCode(printable ? byte : next++));
  }
  return characters;
})();

const byteOf = new Map(BYTE_CHARACTERS.map((character, byte) => [character, byte]));

/** The token text that stands for some bytes. */
export function bytesToToken(bytes: Uint8Array): string {
  let token = '';
  for (const byte of bytes) token += BYTE_CHARACTERS[byte];
  return token;
}

/** The bytes that a token's text stands for, or undefined when it holds a character that stands for none. */
export function tokenToBytes(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = byteOf.get(token[i]!);
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}
