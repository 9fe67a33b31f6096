import type { DocumentPiece } from '../corpus/types.js';
import { EncodeError } from '../tokenizers/tokenizer.js';
import { grown } from '../tokenizers/word-table.js';

/** How much text is encoded at a time. */
export const BATCH_BYTES = 1 << 20;

/** A part of a document within a batch: from `start` to the next segment's start. */
export interface Segment {
  start: number;
  source: string;
  /** Where in the document it begins, in bytes. */
  offset: number;
  /** Whether a document begins here rather than goes on from the batch before. */
  opens: boolean;
}

/** Text of whole documents, or of parts of them cut where it makes no difference to the tokens. */
export interface TextBatch {
  bytes: Uint8Array;
  segments: Segment[];
}

/**
 * Gathers pieces of documents into batches of about {@link BATCH_BYTES}, so that many small documents are handled
 * together and a large one a part at a time. A batch ends where a document does or where `lastCut` allows.
 */
export class TextBatcher {
  readonly #lastCut: (bytes: Uint8Array, length: number, from: number) => number;
  readonly #target: number;
  #bytes: Uint8Array;
  #length = 0;
  #segments: Segment[] = [];
  #inDocument = false;
  /** Up to where the current document was searched for a cut in vain. */
  #searched = 0;

  /** @param lastCut see {@link Tokenizer.lastCut} */
  constructor(lastCut: (bytes: Uint8Array, length: number, from: number) => number, target = BATCH_BYTES) {
    this.#lastCut = lastCut;
    this.#target = target;
    this.#bytes = new Uint8Array(2 * target);
  }

  /** Takes a piece; returns a batch when there is enough for one. */
  add({ bytes, source, end }: DocumentPiece): TextBatch | undefined {
    if (!this.#inDocument && bytes.length > 0) {
      this.#segments.push({ start: this.#length, source, offset: 0, opens: true });
      this.#searched = this.#length;
    }
    this.#inDocument = (this.#inDocument || bytes.length > 0) && !end;
    const needed = this.#length + bytes.length;
    if (needed > this.#bytes.length) this.#bytes = grown(this.#bytes, Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.set(bytes, this.#length);
    this.#length = needed;
    if (this.#length < this.#target) return undefined;
    return this.#take(this.#inDocument ? this.#cutInDocument() : this.#length);
  }

  /** What is left at the end. */
  flush(): TextBatch | undefined {
    return this.#take(this.#length);
  }

  #cutInDocument(): number {
    const start = this.#segments.at(-1)!.start;
    const cut = this.#lastCut(this.#bytes, this.#length, Math.max(start, this.#searched - 1));
    this.#searched = this.#length;
    // Where the document cannot be cut, those before it can still go.
    return Math.max(cut, start);
  }

  #take(cut: number): TextBatch | undefined {
    if (cut === 0) return undefined;
    const bytes = this.#bytes.slice(0, cut);
    const segments = this.#segments.filter(({ start }) => start < cut);
    const last = this.#segments.at(-1)!;
    this.#bytes.copyWithin(0, cut, this.#length);
    this.#length -= cut;
    this.#searched = Math.max(0, this.#searched - cut);
    if (!this.#inDocument) this.#segments = [];
    else if (last.start >= cut) this.#segments = [{ ...last, start: 0 }];
    else this.#segments = [{ ...last, start: 0, offset: last.offset + cut - last.start, opens: false }];
    return { bytes, segments };
  }
}

/** Calls `use` with the bytes of each segment; an {@link EncodeError} comes out with the file and the place in it. */
export function forEachSegment(
  { bytes, segments }: TextBatch,
  use: (text: Uint8Array, segment: Segment) => void,
): void {
  for (const [i, segment] of segments.entries()) {
    try {
      use(bytes.subarray(segment.start, segments[i + 1]?.start ?? bytes.length), segment);
    } catch (error) {
      if (!(error instanceof EncodeError)) throw error;
      throw new EncodeError(error.reason, segment.offset + error.offset, segment.source);
    }
  }
}
