import { wordEnd } from './pretokenize.js';
import { grown, WordTable } from './word-table.js';

/** The distinct words of a text and how often each comes, in a form that can be sent between threads. */
export interface WordCounts {
  /** All words, one after the other. */
  bytes: Uint8Array;
  /** Where each word ends in {@link bytes}. */
  ends: Uint32Array;
  /** How often each word comes. */
  counts: Float64Array;
}

/** Counts the words of texts as GPT-2's pattern splits them ({@link wordEnd}). */
export class WordCounter {
  #words = new WordTable();
  #counts = new Float64Array(1 << 11);

  /** Counts the words of `bytes[start, end)`, a text that begins and ends at the border of words. */
  addText(bytes: Uint8Array, start = 0, end = bytes.length): void {
    for (let at = start; at < end; ) {
      const next = wordEnd(bytes, at, end);
      this.#add(bytes, at, next, 1);
      at = next;
    }
  }

  /** Adds what another counter found: its words `[from, to)`. */
  addCounts({ bytes, ends, counts }: WordCounts, from = 0, to = ends.length): void {
    for (let word = from, at = from === 0 ? 0 : ends[from - 1]!; word < to; at = ends[word++]!) {
      this.#add(bytes, at, ends[word]!, counts[word]!);
    }
  }

  /** What was counted so far, as a copy. */
  result(): WordCounts {
    const size = this.#words.size;
    const bytes = new Uint8Array(this.#words.byteLength);
    const ends = new Uint32Array(size);
    for (let word = 0, at = 0; word < size; word++) {
      const text = this.#words.word(word);
      bytes.set(text, at);
      ends[word] = at += text.length;
    }
    return { bytes, ends, counts: this.#counts.slice(0, size) };
  }

  #add(bytes: Uint8Array, start: number, end: number, count: number): void {
    const word = this.#words.add(bytes, start, end);
    if (word >= this.#counts.length) this.#counts = grown(this.#counts, 2 * this.#counts.length);
    this.#counts[word]! += count;
  }
}
