import { indexOfBytes, joinBytes } from '../../base/bytes.js';
import { MASK_TOKEN } from './mask-token.js';
import { WordMerger } from './merge-word.js';
import { lastWordCut, wordEnd } from './pretokenize.js';
import { findSentinels, type SentinelTokens } from './sentinel-tokens.js';
import { byteStreamDecoder, bytesToText, type Tokenizer, unknownId } from './tokenizer.js';
import { bpeFiles, END_OF_TEXT } from './tokenizer-files.js';
import type { BpeModel } from './train-bpe.js';
import { toBytes } from './utf8.js';
import { grown, WordTable } from './word-table.js';

/** Longer words are merged anew each time. */
const CACHED_BYTES = 64;
/** When so many different words were seen the cache starts over, so that memory stays bounded. */
const CACHED_WORDS = 1 << 18;

/** Byte-level BPE with GPT-2's splitting into words: any bytes can be encoded and come back as they were. */
export class BpeTokenizer implements Tokenizer {
  readonly kind = 'bpe';
  readonly endOfText: number | undefined;
  readonly mask: number | undefined;
  readonly sentinels: SentinelTokens | undefined;
  /** What it was made from; it can be sent to another thread. */
  readonly model: BpeModel;
  readonly #idOfByte = new Int32Array(256);
  readonly #bytesOf: readonly Uint8Array[];
  readonly #merger: WordMerger;
  readonly #special: { id: number; bytes: Uint8Array }[];
  /** Word w of the cache has the ids `#cachedIds[#cachedEnds[w - 1], #cachedEnds[w])`. */
  readonly #cache = new WordTable();
  #cachedEnds = new Uint32Array(1 << 12);
  #cachedIds = new Int32Array(1 << 14);
  #word = new Int32Array(1 << 10);
  #out = new Uint32Array(1 << 10);
  #count = 0;

  constructor(model: BpeModel) {
    this.model = model;
    const idOf = new Map(model.tokens.map((bytes, id) => [key(bytes), id]));
    for (let byte = 0; byte < 256; byte++) this.#idOfByte[byte] = idOf.get(key(Uint8Array.of(byte)))!;
    this.#merger = new WordMerger(
      model.merges.map(([left, right]) => {
        const merged = idOf.get(key(model.tokens[left]!) + key(model.tokens[right]!))!;
        return [left, right, merged];
      }),
    );
    const idOfSpecial = new Map([...model.special].map(([id, name]) => [name, id]));
    this.endOfText = idOfSpecial.get(END_OF_TEXT);
    this.mask = idOfSpecial.get(MASK_TOKEN);
    this.sentinels = findSentinels((name) => idOfSpecial.get(name));
    const { first = -1, count = 0 } = this.sentinels ?? {};
    const chosen = (id: number) => id === this.mask || (id <= first && id > first - count);
    this.#special = [...model.special].flatMap(([id, name]) => (chosen(id) ? [] : [{ id, bytes: toBytes(name) }]));
    this.#bytesOf = model.tokens.map((bytes, id) => {
      const name = model.special.get(id);
      return name === undefined ? bytes : toBytes(name);
    });
  }

  get vocabularySize(): number {
    return this.#bytesOf.length;
  }

  encode(text: string | Uint8Array): Uint32Array {
    const bytes = toBytes(text);
    // Four bytes a token is usual; room for more is made when it is needed.
    this.#out = new Uint32Array(Math.ceil(bytes.length / 3) + 16);
    this.#count = 0;
    this.#encodeWithSpecial(bytes);
    const ids = this.#out.slice(0, this.#count);
    this.#out = new Uint32Array(0);
    return ids;
  }

  decodeBytes(ids: ArrayLike<number>): Uint8Array {
    return joinBytes(
      Array.from(ids, (id) => {
        const bytes = this.#bytesOf[id];
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

  lastCut(bytes: Uint8Array, length: number, from = 0): number {
    return lastWordCut(bytes, length, from);
  }

  files() {
    return bpeFiles(this.model, true);
  }

  /** Special tokens split the text before anything else, the leftmost (and of those the longest) first. */
  #encodeWithSpecial(bytes: Uint8Array): void {
    let at = 0;
    for (;;) {
      let place = bytes.length;
      let found: { id: number; bytes: Uint8Array } | undefined;
      for (const special of this.#special) {
        const next = indexOfBytes(bytes, special.bytes, at);
        if (next < 0 || next > place || (next === place && special.bytes.length <= (found?.bytes.length ?? 0)))
          continue;
        place = next;
        found = special;
      }
      this.#encodeText(bytes, at, place);
      if (found === undefined) return;
      this.#reserve(1);
      this.#out[this.#count++] = found.id;
      at = place + found.bytes.length;
    }
  }

  #encodeText(bytes: Uint8Array, at: number, end: number): void {
    while (at < end) {
      const next = wordEnd(bytes, at, end);
      if (next - at > CACHED_BYTES) this.#append(this.#word, 0, this.#mergeWord(bytes, at, next));
      else this.#encodeCached(bytes, at, next);
      at = next;
    }
  }

  #encodeCached(bytes: Uint8Array, start: number, end: number): void {
    if (this.#cache.size >= CACHED_WORDS) this.#cache.clear();
    const known = this.#cache.size;
    const word = this.#cache.add(bytes, start, end);
    const from = word === 0 ? 0 : this.#cachedEnds[word - 1]!;
    if (word === known) {
      const length = this.#mergeWord(bytes, start, end);
      if (word >= this.#cachedEnds.length) this.#cachedEnds = grown(this.#cachedEnds, 2 * this.#cachedEnds.length);
      if (from + length > this.#cachedIds.length) {
        this.#cachedIds = grown(this.#cachedIds, 2 * this.#cachedIds.length);
      }
      for (let i = 0; i < length; i++) this.#cachedIds[from + i] = this.#word[i]!;
      this.#cachedEnds[word] = from + length;
    }
    this.#append(this.#cachedIds, from, this.#cachedEnds[word]!);
  }

  /** Leaves the ids of a word in `#word` and returns their number. */
  #mergeWord(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (length > this.#word.length) this.#word = new Int32Array(2 * length);
    for (let i = 0; i < length; i++) this.#word[i] = this.#idOfByte[bytes[start + i]!]!;
    return this.#merger.merge(this.#word, length);
  }

  #append(ids: Int32Array, from: number, to: number): void {
    this.#reserve(to - from);
    for (let i = from; i < to; i++) this.#out[this.#count++] = ids[i]!;
  }

  #reserve(count: number): void {
    const needed = this.#count + count;
    if (needed > this.#out.length) this.#out = grown(this.#out, Math.max(needed, 2 * this.#out.length));
  }
}

function key(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
