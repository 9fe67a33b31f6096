import { lowWords } from '../low-words.js';

/**
 * Turns windows of tokens into what a step is fed: ids and the tokens after them, time-major (element t · batch + b).
 *
 * @param rows of 2 to `length` + 1 token ids; behind the end of a short one 0 is fed. −1: no token of the vocabulary
 * @param standIn what is fed in its place
 */
export function fillTokens(
  rows: readonly Int32Array[],
  length: number,
  ids: BigInt64Array,
  targets: BigInt64Array,
  standIn = 0,
): void {
  const batch = rows.length;
  const [id, target] = [lowWords(ids), lowWords(targets)];
  for (const [b, row] of rows.entries()) {
    if (row.length < 2 || row.length > length + 1)
      throw new Error(`expected rows of 2 to ${length + 1} tokens, got ${row.length}`);
    const at = (t: number) => (t >= row.length ? 0 : row[t]! < 0 ? standIn : row[t]!);
    for (let t = 0; t < length; t++) {
      const place = 2 * (t * batch + b);
      id[place] = at(t);
      target[place] = at(t + 1);
    }
  }
}
