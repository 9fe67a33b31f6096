import { MeanfieldError } from '../../base/errors.js';
import type { TokenizerKind } from './kinds.js';
import type { SentinelTokens } from './sentinel-tokens.js';

/** The files of a tokenizer in Hugging Face layout: contents by name. */
export interface TokenizerFiles {
  'tokenizer.json': string;
  'tokenizer_config.json': string;
}

/** Turns the tokens of one text into characters as they come, for a terminal. */
export interface StreamDecoder {
  /** The characters that are complete with these tokens; never half of one. */
  push(ids: ArrayLike<number>): string;
  /** What is left at the end, U+FFFD for the half of a character. */
  end(): string;
}

/** The special tokens that an encoder reads with two texts. */
export interface AroundPair {
  readonly before: readonly number[];
  readonly between: readonly number[];
  readonly after: readonly number[];
  /** What type the second text has, with what stands behind it; that of all before is 0. */
  readonly second: number;
}

/** Text to token ids and back. */
export interface Tokenizer {
  readonly kind: TokenizerKind;
  /** One more than the largest id. */
  readonly vocabularySize: number;
  /** The token that separates documents, or undefined when this tokenizer has none. */
  readonly endOfText: number | undefined;
  /** The token that stands where a model has to tell what was there, or undefined when this tokenizer has none. */
  readonly mask: number | undefined;
  /** The tokens that stand for spans of a text that are left out; none where it is left out. */
  readonly sentinels?: SentinelTokens | undefined;
  /** The special tokens that stand before and after a text that an encoder reads; none where it is left out. */
  readonly around?: { readonly before: readonly number[]; readonly after: readonly number[] };
  /** Those of two texts that are read together; undefined where it knows of none. */
  readonly aroundPair?: AroundPair | undefined;
  /**
   * The ids of a text. No special token is added; the text `<|endoftext|>` becomes that token where there is one, as
   * in Hugging Face tokenizers; the mask token and sentinels are never among them, but in `foreign` ones. Bytes that are not UTF-8 are kept by `bytes` and `bpe`.
   *
   * @throws EncodeError when the text holds what the tokenizer cannot express, with its offset
   */
  encode(text: string | Uint8Array): Uint32Array;
  /** As {@link encode}, but with −1 for each character that has no token, where that is refused by `encode`. */
  encodeKnown?(text: string | Uint8Array): Int32Array;
  /** The token that a model reads in place of a character that has none, where {@link encodeKnown} is there. */
  readonly standIn?: number;
  /** The bytes of some tokens. @throws MeanfieldError when an id is not in the vocabulary */
  decodeBytes(ids: ArrayLike<number>): Uint8Array;
  /** The bytes that a token stands for within a text, where {@link decodeBytes} of it alone may give others. */
  tokenBytes?(id: number): Uint8Array;
  /** The text of some tokens; bytes that are not UTF-8 come out as U+FFFD. Special tokens are written out. */
  decode(ids: ArrayLike<number>): string;
  streamDecoder(): StreamDecoder;
  /**
   * The largest position in `bytes[from, length)` at which a text can be cut so that the tokens of both parts are the
   * tokens of the whole, or 0 when there is none.
   */
  lastCut(bytes: Uint8Array, length: number, from?: number): number;
  /** The files that Python `transformers` (AutoTokenizer) and {@link loadTokenizer} read. */
  files(): TokenizerFiles;
}

/** A text that a tokenizer cannot encode. */
export class EncodeError extends MeanfieldError {
  override name = 'EncodeError';

  /**
   * @param reason what is wrong, without the place
   * @param offset where it is, in bytes from the start of the text
   * @param source the file (and line), when it is known
   */
  constructor(
    readonly reason: string,
    readonly offset: number,
    readonly source?: string,
  ) {
    super(`${reason} at byte ${offset}${source === undefined ? '' : ` of ${source}`}.`);
  }
}

/** Decodes a stream of tokens by way of their bytes. */
export function byteStreamDecoder(decodeBytes: (ids: ArrayLike<number>) => Uint8Array): StreamDecoder {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return {
    push: (ids) => decoder.decode(decodeBytes(ids), { stream: true }),
    end: () => decoder.decode(),
  };
}

/** Bytes as text, a byte order mark included. */
export function bytesToText(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

/** The error for an id that no token has. */
export function unknownId(id: number, vocabularySize: number): MeanfieldError {
  return new MeanfieldError(`Unknown token id ${id}: this tokenizer's ids go from 0 to ${vocabularySize - 1}.`);
}
