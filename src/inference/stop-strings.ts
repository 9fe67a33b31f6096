/**
 * Ends a text before the first of some strings to be complete, though it come in pieces. A piece's end that may be the
 * beginning of such a string is held back until the next piece shows whether it is.
 */
export class StopStrings {
  readonly #strings: readonly string[];
  readonly #longest: number;
  #held = '';

  /** @param strings none empty */
  constructor(strings: readonly string[]) {
    this.#strings = strings;
    this.#longest = Math.max(0, ...strings.map((string) => string.length));
  }

  /** @returns the text that is certain by now, and whether a string has come, which ends it */
  push(piece: string): { readonly text: string; readonly stopped: boolean } {
    const text = this.#held + piece;
    let end = Number.POSITIVE_INFINITY;
    let start = 0;
    for (const string of this.#strings) {
      const at = text.indexOf(string);
      if (at < 0 || at + string.length > end) continue;
      // Of two that are complete at the same place, the longer.
      start = at + string.length === end ? Math.min(start, at) : at;
      end = at + string.length;
    }
    if (end <= text.length) {
      this.#held = '';
      return { text: text.slice(0, start), stopped: true };
    }
    const certain = text.length - this.#beginning(text);
    this.#held = text.slice(certain);
    return { text: text.slice(0, certain), stopped: false };
  }

  /** What was held back at the end of the text. */
  end(): string {
    const held = this.#held;
    this.#held = '';
    return held;
  }

  /** The length of the longest end of `text` that begins one of the strings. */
  #beginning(text: string): number {
    for (let length = Math.min(this.#longest - 1, text.length); length > 0; length--) {
      const end = text.slice(-length);
      if (this.#strings.some((string) => string.startsWith(end))) return length;
    }
    return 0;
  }
}
