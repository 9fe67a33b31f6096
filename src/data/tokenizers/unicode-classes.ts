import table from './unicode-classes.json' with { type: 'json' };

/** What GPT-2's pre-tokenizer distinguishes: `\p{L}`, `\p{N}`, `\s` and everything else. */
export const LETTER = 1;
export const NUMBER = 2;
export const SPACE = 3;
export const OTHER = 4;

let classes: Uint8Array | undefined;

/**
 * The class of every code point, as a table of 0x110000 bytes. The ranges are those of Python `tokenizers`, kept as
 * data so that the same text gives the same tokens under every version of Node.js and its Unicode.
 */
export function unicodeClasses(): Uint8Array {
  if (classes) return classes;
  classes = new Uint8Array(0x110000).fill(OTHER);
  fill(classes, table.letter, LETTER);
  fill(classes, table.number, NUMBER);
  fill(classes, table.space, SPACE);
  return classes;
}

/** `steps` is [first, last, first, last, ...], each as the difference from the one before. */
function fill(target: Uint8Array, steps: number[], value: number): void {
  for (let i = 0, at = 0; i < steps.length; i += 2) {
    const first = at + steps[i]!;
    at = first + steps[i + 1]!;
    target.fill(value, first, at + 1);
  }
}
