import { byteStreamDecoder, bytesToText, type Tokenizer, unknownId } from './tokenizer.js';
import { bpeFiles } from './tokenizer-files.js';
import { toBytes } from './utf8.js';

/** One token a byte; the id is the byte. */
export class BytesTokenizer implements Tokenizer {
  readonly kind = 'bytes';
  readonly vocabularySize = 256;
  readonly endOfText = undefined;

  encode(text: string | Uint8Array): Uint32Array {
    return Uint32Array.from(toBytes(text));
  }

  decodeBytes(ids: ArrayLike<number>): Uint8Array {
    return Uint8Array.from(ids, (id) => {
      if (!(id >= 0 && id < 256)) throw unknownId(id, 256);
      return id;
    });
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
    return bpeFiles({ tokens, merges: [], special: new Map() }, false);
  }
}
