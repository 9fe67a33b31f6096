import { joinBytes } from '../../base/bytes.js';
import { MeanfieldError } from '../../base/errors.js';
import { encodingHint, guessEncoding } from '../corpus/encodings.js';
import { MASK_TOKEN } from './mask-token.js';
import { byteStreamDecoder, bytesToText, EncodeError, type Tokenizer, unknownId } from './tokenizer.js';
import { charsFiles } from './tokenizer-files.js';
import { codePointAt, codePointLength, lastCharacterCut, toBytes } from './utf8.js';

/** One token for each character (code point) that a corpus has; ids follow the order of the code points. */
export class CharsTokenizer implements Tokenizer {
  readonly kind = 'chars';
  readonly endOfText = undefined;
  readonly mask: number | undefined;
  readonly #points: readonly number[];
  readonly #utf8: readonly Uint8Array[];
  readonly #idOf = new Int32Array(0x110000).fill(-1);

  /**
   * @param points the code point of each id
   * @param mask whether there is a mask token as well, after them
   */
  constructor(points: readonly number[], { mask = false }: { mask?: boolean } = {}) {
    if (points.length === 0)
      throw new MeanfieldError('A character tokenizer needs a text with at least one character.');
    this.#points = points;
    this.mask = mask ? points.length : undefined;
    const names = points.map((point) => String.fromCodePoint(point));
    this.#utf8 = (mask ? [...names, MASK_TOKEN] : names).map(toBytes);
    for (const [id, point] of points.entries()) this.#idOf[point] = id;
  }

  get vocabularySize(): number {
    return this.#utf8.length;
  }

  encode(text: string | Uint8Array): Uint32Array {
    const ids = this.#encode(toBytes(text), (point, at) => {
      throw new EncodeError(`The character ${describe(point)} is not in this tokenizer's vocabulary:`, at);
    });
    return new Uint32Array(ids.buffer);
  }

  encodeKnown(text: string | Uint8Array): Int32Array {
    return this.#encode(toBytes(text), () => {});
  }

  /** A space tells a model least, as it stands beside anything. */
  get standIn(): number {
    return Math.max(0, this.#idOf[0x20]!);
  }

  /** The ids of a text; `unseen` is called for what has none, which is −1. */
  #encode(bytes: Uint8Array, unseen: (point: number, at: number) => void): Int32Array {
    const ids = new Int32Array(bytes.length);
    let count = 0;
    for (let at = 0; at < bytes.length; ) {
      const point = checkedCodePoint(bytes, at);
      const id = this.#idOf[point]!;
      if (id < 0) unseen(point, at);
      ids[count++] = id;
      at += codePointLength;
    }
    return ids.slice(0, count);
  }

  decodeBytes(ids: ArrayLike<number>): Uint8Array {
    return joinBytes(
      Array.from(ids, (id) => {
        const bytes = this.#utf8[id];
        if (bytes === undefined) throw unknownId(id, this.vocabularySize);
        return bytes;
      }),
    );
  }

  decode(ids: ArrayLike<number>): string {
    return bytesToText(this.decodeBytes(ids));
  }

  streamDecoder() {
    return byteStreamDecoder((ids) => this.decodeBytes(ids));
  }

  lastCut(bytes: Uint8Array, length: number): number {
    return lastCharacterCut(bytes, length);
  }

  files() {
    return charsFiles(
      this.#points.map((point) => String.fromCodePoint(point)),
      this.mask !== undefined,
    );
  }
}

/** Collects the characters of a corpus. */
export class CharacterSet {
  #seen = new Uint8Array(0x110000);

  /** @throws EncodeError at the first byte that is not UTF-8 */
  add(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += codePointLength) this.#seen[checkedCodePoint(bytes, at)] = 1;
  }

  /** The code points seen, in ascending order. */
  points(): number[] {
    const points: number[] = [];
    for (let point = this.#seen.indexOf(1); point >= 0; point = this.#seen.indexOf(1, point + 1)) points.push(point);
    return points;
  }
}

function checkedCodePoint(bytes: Uint8Array, at: number): number {
  const point = codePointAt(bytes, at, bytes.length);
  if (point >= 0) return point;
  const byte = `0x${bytes[at]!.toString(16).padStart(2, '0')}`;
  const hint = encodingHint(guessEncoding(bytes));
  throw new EncodeError(
    `Invalid UTF-8: the tokenizer chars needs text${hint === '' ? '' : ` (${hint})`}, the tokenizers bytes and bpe ` +
      `keep such bytes. Found ${byte}`,
    at,
  );
}

function describe(point: number): string {
  return `${JSON.stringify(String.fromCodePoint(point))} (U+${point.toString(16).toUpperCase().padStart(4, '0')})`;
}
