const [FEWEST, MOST] = [320, 4096];
/** Bytes of text for each entry: where entries come more seldom, a model learns them by heart. */
const BYTES_EACH = 300;

/**
 * Entries of a BPE tokenizer for a text of so many bytes, where none were asked for: one for every 300 bytes, of larger
 * texts 2 √bytes, from 320 to 4096. Chosen by the bits per byte that small models reach on text that they have not seen
 * (docs/numerics.md has the figures).
 */
export function vocabularyFor(bytes: number): number {
  const size = Math.floor(Math.min(bytes / BYTES_EACH, 2 * Math.sqrt(bytes)));
  return Math.min(MOST, Math.max(FEWEST, size));
}
