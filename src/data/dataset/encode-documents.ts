import { MeanfieldError } from '../../base/errors.js';
import type { DocumentPiece } from '../corpus/types.js';
import { EncodeError, type Tokenizer } from '../tokenizers/tokenizer.js';
import { grown } from '../tokenizers/word-table.js';

/** How much of a document is encoded at a time. */
const TARGET_BYTES = 1 << 17;
/** A document that its tokenizer cannot cut must be in memory as a whole. */
const LONGEST_UNCUT = 1 << 28;

/** Tokens of a part of a document. */
export interface EncodedPiece {
  readonly source: string;
  /** Token ids; −1 for a character that the tokenizer has no token for. */
  readonly ids: Int32Array;
  /** Bytes of text that they stand for. */
  readonly bytes: number;
  /** True for the last piece of a document. */
  readonly end: boolean;
}

/**
 * The tokens of documents, each by itself and with no token between, a piece at a time: memory does not grow with a
 * document, unless its tokenizer cannot cut a text.
 *
 * @throws EncodeError, with the document's name, for what the tokenizer cannot express
 */
export async function* encodeDocuments(
  tokenizer: Tokenizer,
  pieces: Iterable<DocumentPiece> | AsyncIterable<DocumentPiece>,
): AsyncGenerator<EncodedPiece> {
  let held = new Uint8Array(2 * TARGET_BYTES);
  let length = 0;
  /** Bytes of the document before those that are held. */
  let offset = 0;
  /** Up to where a cut was looked for in vain. */
  let searched = 0;
  for await (const { bytes, source, end } of pieces) {
    if (length + bytes.length > held.length) held = grown(held, Math.max(length + bytes.length, 2 * held.length));
    held.set(bytes, length);
    length += bytes.length;
    if (!end && length < TARGET_BYTES) continue;
    const cut = end ? length : tokenizer.lastCut(held, length, Math.max(0, searched - 1));
    searched = length;
    if (cut === 0 && !end) {
      if (length <= LONGEST_UNCUT) continue;
      throw new MeanfieldError(
        `${source} has more than ${LONGEST_UNCUT >> 20} MiB of text in one document, which this model's tokenizer must ` +
          'read at once. Cut the file into several.',
      );
    }
    const ids = encodeAt(tokenizer, held.subarray(0, cut), source, offset);
    held.copyWithin(0, cut, length);
    length -= cut;
    searched -= cut;
    offset = end ? 0 : offset + cut;
    if (end) searched = 0;
    yield { source, ids, bytes: cut, end };
  }
}

function encodeAt(tokenizer: Tokenizer, text: Uint8Array, source: string, offset: number): Int32Array {
  try {
    return tokenizer.encodeKnown?.(text) ?? Int32Array.from(tokenizer.encode(text));
  } catch (error) {
    if (!(error instanceof EncodeError)) throw error;
    throw new EncodeError(error.reason, offset + error.offset, source);
  }
}
