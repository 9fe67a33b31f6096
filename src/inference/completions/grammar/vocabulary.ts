import { UsageError } from '../../../base/errors.js';
import type { Tokenizer } from '../../../data/index.js';
import { type Ranges, unite } from './code-points.js';

/** The tokens of a vocabulary that are text, in the order of their bytes, so that those with a common beginning stand together. */
export interface Vocabulary {
  /** Ids below this are tokens, among them those that are no text. */
  readonly size: number;
  readonly ids: Int32Array;
  /** All bytes; token i has those from `offsets[i]` to `offsets[i + 1]`. */
  readonly bytes: Uint8Array;
  readonly offsets: Int32Array;
  /** How many bytes each has in common with the one before. */
  readonly common: Int32Array;
  /** Bytes of the longest. */
  readonly longest: number;
  /** The characters that can be written; undefined for all. */
  readonly alphabet: Ranges | undefined;
}

type Named = Pick<Tokenizer, 'vocabularySize' | 'decodeBytes' | 'tokenBytes' | 'files'>;

/**
 * @param size ids below this may be chosen
 * @throws UsageError when texts of this tokenizer are not their tokens one after another
 */
export function vocabularyOf(tokenizer: Named, size = tokenizer.vocabularySize): Vocabulary {
  const special = specialIds(tokenizer);
  const bytesOf = (id: number): Uint8Array => tokenizer.tokenBytes?.(id) ?? tokenizer.decodeBytes([id]);
  const tokens: { readonly id: number; readonly bytes: Uint8Array }[] = [];
  for (let id = 0; id < Math.min(size, tokenizer.vocabularySize); id++) {
    if (special.has(id)) continue;
    let bytes: Uint8Array;
    try {
      bytes = bytesOf(id);
    } catch {
      // An id between others that no token has.
      continue;
    }
    if (bytes.length > 0) tokens.push({ id, bytes });
  }
  refuseJoined(tokenizer, tokens);
  tokens.sort((a, b) => Buffer.compare(a.bytes, b.bytes) || a.id - b.id);
  const offsets = new Int32Array(tokens.length + 1);
  const common = new Int32Array(tokens.length);
  for (const [i, { bytes }] of tokens.entries()) {
    offsets[i + 1] = offsets[i]! + bytes.length;
    const before = tokens[i - 1]?.bytes;
    while (before && common[i]! < Math.min(before.length, bytes.length) && before[common[i]!] === bytes[common[i]!])
      common[i]!++;
  }
  return {
    size,
    ids: Int32Array.from(tokens, ({ id }) => id),
    bytes: Buffer.concat(tokens.map(({ bytes }) => bytes)),
    offsets,
    common,
    longest: tokens.reduce((longest, { bytes }) => Math.max(longest, bytes.length), 0),
    alphabet: alphabetOf(tokens.map(({ bytes }) => bytes)),
  };
}

/** Tokens that stand for no text of their own, or that the tokenizer takes out of texts. */
function specialIds(tokenizer: Named): Set<number> {
  const json = JSON.parse(tokenizer.files()['tokenizer.json']) as {
    added_tokens?: readonly { readonly id?: unknown }[];
  };
  return new Set((json.added_tokens ?? []).map(({ id }) => Number(id)));
}

/** All characters, where each byte is a token; else those that a token is. */
function alphabetOf(tokens: readonly Uint8Array[]): Ranges | undefined {
  const single = new Set(tokens.filter(({ length }) => length === 1).map(([byte]) => byte));
  // 0xc0, 0xc1 and those from 0xf5 on are in no text.
  const needed = Array.from({ length: 0xf5 }, (_, byte) => byte).filter((byte) => byte !== 0xc0 && byte !== 0xc1);
  if (needed.every((byte) => single.has(byte))) return undefined;
  const points: [number, number][] = [];
  for (const bytes of tokens) {
    const text = Buffer.from(bytes).toString('utf8');
    const point = text.codePointAt(0)!;
    if (String.fromCodePoint(point) === text && Buffer.from(text).equals(bytes)) points.push([point, point]);
  }
  return unite(points);
}

/** How many pairs of tokens are tried. */
const PAIRS = 200;

/** @throws UsageError when tokens are not simply set one after another, as in WordPiece, which writes blanks between words */
function refuseJoined(tokenizer: Named, tokens: readonly { readonly id: number; readonly bytes: Uint8Array }[]): void {
  const words = tokens.filter(({ bytes }) => bytes.every((byte) => byte >= 0x30 && byte < 0x7f));
  const stride = Math.max(1, Math.floor(words.length / PAIRS));
  for (let i = stride; i < words.length; i += stride) {
    const [left, right] = [words[i - stride]!, words[i]!];
    const joined = tokenizer.decodeBytes([left.id, right.id]);
    if (!Buffer.concat([left.bytes, right.bytes]).equals(joined))
      throw new UsageError(
        `Texts of this tokenizer are not its tokens one after another (${JSON.stringify(Buffer.from(joined).toString())} is ` +
          'written with two), so no text can be held to a grammar. Ask without one.',
      );
  }
}
