import { lowWords } from '../low-words.js';

/**
 * Turns windows of tokens into what a step is fed: ids and the tokens after them, time-major (element t · batch + b).
 *
 * @param rows of `length` + 1 token ids each
 */
export function fillTokens(
  rows: readonly Int32Array[],
  length: number,
  ids: BigInt64Array,
  targets: BigInt64Array,
): void {
  const batch = rows.length;
  const [id, target] = [lowWords(ids), lowWords(targets)];
  for (const [b, row] of rows.entries()) {
    if (row.length !== length + 1) throw new Error(`expected rows of ${length + 1} tokens, got ${row.length}`);
    for (let t = 0; t < length; t++) {
      const at = 2 * (t * batch + b);
      id[at] = row[t]!;
      target[at] = row[t + 1]!;
    }
  }
}
