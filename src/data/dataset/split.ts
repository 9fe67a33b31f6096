import type { DocumentPiece } from '../corpus/types.js';

/** With fewer documents than this a corpus is cut at the end instead of dealt out by documents. */
export const DOCUMENTS_TO_DEAL = 20;

/** The two parts of a corpus. */
export type Part = 'train' | 'validation';

/** How a corpus is parted: at a byte of its text, or by the numbers of the documents that validate. */
export type Split = { at: number } | { validates: (document: number) => boolean };

/**
 * Decides, while the documents are gone through once, which of them validate: those whose content hash, taken as a
 * fraction, is below `fraction`. So the same document is always on the same side, and so are copies of it. Few
 * documents, and those that would all validate, are cut at the end of their text instead.
 */
export class SplitPlanner {
  readonly #fraction: number;
  #chosen = new Uint8Array(1 << 10);
  #documents = 0;
  #anyChosen = false;
  /** The lowest hash and the documents that have it: they validate when no document is below the fraction. */
  #lowest = { hash: Number.POSITIVE_INFINITY, documents: [] as number[] };
  #training = 0;
  #first: Buffer | undefined;
  #different = false;

  constructor(fraction: number) {
    this.#fraction = fraction;
  }

  /** @param digest the sha256 of the document's bytes */
  add(digest: Buffer): void {
    const document = this.#documents++;
    this.#first ??= digest;
    this.#different ||= !this.#first.equals(digest);
    const hash = digest.readUIntBE(0, 6) / 2 ** 48;
    if (hash < this.#fraction) {
      this.#choose(document);
      this.#anyChosen = true;
    } else {
      this.#training++;
    }
    if (hash < this.#lowest.hash) this.#lowest = { hash, documents: [document] };
    else if (hash === this.#lowest.hash) this.#lowest.documents.push(document);
  }

  /** Whether there are several documents that are all the same. */
  get allEqual(): boolean {
    return this.#documents > 1 && !this.#different;
  }

  /** @param bytes of the whole corpus */
  plan(bytes: number): Split {
    // Where no document would be left to train on (all are equal, say), only a cut makes two parts.
    const left = this.#anyChosen ? this.#training : this.#documents - this.#lowest.documents.length;
    if (this.#documents < DOCUMENTS_TO_DEAL || left === 0) return { at: Math.floor(bytes * (1 - this.#fraction)) };
    if (!this.#anyChosen) for (const document of this.#lowest.documents) this.#choose(document);
    const chosen = this.#chosen;
    return { validates: (document) => ((chosen[document >> 3] ?? 0) >> (document & 7)) % 2 === 1 };
  }

  #choose(document: number): void {
    const byte = document >> 3;
    if (byte >= this.#chosen.length) {
      const larger = new Uint8Array(2 * byte);
      larger.set(this.#chosen);
      this.#chosen = larger;
    }
    this.#chosen[byte]! |= 1 << (document & 7);
  }
}

/** Sends the pieces of a corpus to its two parts as a {@link Split} says. */
export class SplitRouter {
  readonly #split: Split;
  #document = 0;
  #position = 0;
  /** Whether the cut (where there is one) has been passed. */
  #passed = false;

  constructor(split: Split) {
    this.#split = split;
  }

  /** The piece, or the two pieces that the cut makes of it. */
  route(piece: DocumentPiece): { part: Part; piece: DocumentPiece }[] {
    if ('validates' in this.#split) {
      const part = this.#split.validates(this.#document) ? 'validation' : 'train';
      if (piece.end) this.#document++;
      return [{ part, piece }];
    }
    if (this.#passed) return [{ part: 'validation', piece }];
    const cut = this.#cutIn(piece.bytes, this.#split.at - this.#position);
    this.#position += piece.bytes.length;
    if (cut === undefined) return [{ part: 'train', piece }];
    this.#passed = true;
    return [
      { part: 'train', piece: { ...piece, bytes: piece.bytes.subarray(0, cut), end: true } },
      { part: 'validation', piece: { ...piece, bytes: piece.bytes.subarray(cut) } },
    ];
  }

  /** Where the cut lies in a piece whose start is `at` bytes before it: at the next character, if `at` is inside one. */
  #cutIn(bytes: Uint8Array, at: number): number | undefined {
    const from = Math.max(0, at);
    for (let cut = from; cut < bytes.length; cut++) {
      if ((bytes[cut]! & 0xc0) !== 0x80 || cut >= at + 3) return cut;
    }
    return undefined;
  }
}
