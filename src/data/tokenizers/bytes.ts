import { MASK_TOKEN, withMask } from './mask-token.js';
import { byteStreamDecoder, bytesToText, type Tokenizer, unknownId } from './tokenizer.js';
import { bpeFiles } from './tokenizer-files.js';
import { toBytes } from './utf8.js';

const MASK_BYTES = toBytes(MASK_TOKEN);

/** One token a byte; the id is the byte. */
export class BytesTokenizer implements Tokenizer {
  readonly kind = 'bytes';
  readonly vocabularySize: number;
  readonly endOfText = undefined;
  readonly mask: number | undefined;

  /** @param mask whether there is a mask token as well */
  constructor({ mask = false }: { mask?: boolean } = {}) {
    this.mask = mask ? 256 : undefined;
    this.vocabularySize = mask ? 257 : 256;
  }

  encode(text: string | Uint8Array): Uint32Array {
    return Uint32Array.from(toBytes(text));
  }

  decodeBytes(ids: ArrayLike<number>): Uint8Array {
    let masks = 0;
    for (let i = 0; i < ids.length; i++) if (ids[i] === this.mask) masks++;
    const bytes = new Uint8Array(ids.length + masks * (MASK_BYTES.length - 1));
    for (let i = 0, at = 0; i < ids.length; i++) {
      const id = ids[i]!;
      if (id === this.mask) {
        bytes.set(MASK_BYTES, at);
        at += MASK_BYTES.length;
      } else if (id >= 0 && id < 256) bytes[at++] = id;
      else throw unknownId(id, this.vocabularySize);
    }
    return bytes;
  }

  decode(ids: ArrayLike<number>): string {
    return bytesToText(this.decodeBytes(ids));
  }

  streamDecoder() {
    return byteStreamDecoder((ids) => this.decodeBytes(ids));
  }

  lastCut(_bytes: Uint8Array, length: number): number {
    return length;
  }

  files() {
    const tokens = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
    const plain = { tokens, merges: [], special: new Map() };
    return bpeFiles(this.mask === undefined ? plain : withMask(plain), false);
  }
}
