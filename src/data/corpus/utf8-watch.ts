import { isUtf8 } from 'node:buffer';
import { lastCharacterCut } from '../tokenizers/utf8.js';
import { guessEncoding } from './encodings.js';

/** Watches a text go by for bytes that are not UTF-8. */
export class Utf8Watch {
  #rest: Uint8Array = new Uint8Array(0);
  /** A name for the encoding that the text seems to be in, or `''`, once bytes were seen that are not UTF-8. */
  found: string | undefined;

  add(bytes: Uint8Array): void {
    if (this.found !== undefined) return;
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const cut = lastCharacterCut(all, all.length);
    if (isUtf8(all.subarray(0, cut))) this.#rest = all.subarray(cut);
    else this.found = guessEncoding(all);
  }

  end(): void {
    if (this.found === undefined && this.#rest.length > 0) this.found = '';
  }
}
