import type { Tokenizer } from './tokenizer.js';

/** Characters of a token, at most in the mean, that a first try reckons with. */
const CHARACTERS = 8;
/** Tokens beyond those asked for, as the last ones may come out otherwise where a text is cut. */
const MARGIN = 64;
/** Where whoever reads a text's beginning may cut it, it is behind a blank, if one is so near. */
const WORD = 512;

/**
 * The ids of a text, or those of a beginning of it where it has more than `most`: what no model can read is not turned
 * into tokens, which would take a second for each 500,000 characters.
 *
 * @returns all ids, or more than `most` + 64 of the first; `most` of these are the text's own unless a word of more
 *   than 512 characters is among them
 */
export function encodeBeginning(tokenizer: Tokenizer, text: string, most: number): Uint32Array {
  for (let length = CHARACTERS * (most + MARGIN); length < text.length; length *= 4) {
    const ids = tokenizer.encode(text.slice(0, cutBefore(text, length)));
    if (ids.length > most + MARGIN) return ids;
  }
  return tokenizer.encode(text);
}

/** The last place before `end` that is in front of a blank; `end`, or one less where a character would be halved. */
function cutBefore(text: string, end: number): number {
  for (let at = end; at > end - WORD && at > 0; at--) if (/\s/.test(text[at]!) && /\S/.test(text[at - 1]!)) return at;
  const before = text.charCodeAt(end - 1);
  return before >= 0xd800 && before < 0xdc00 ? end - 1 : end;
}
