/*
 * What llama.cpp's files have otherwise than Hugging Face's, each in place. Rotary positions turn pairs of a head's rows:
 * (i, i + D/2) there, neighbours here, for the architectures that say so.
 */

/** Rows of each head as pairs of neighbours, from two halves: 0, D/2, 1, D/2 + 1 and so on. */
export function halvesToInterleaved(values: Float32Array, shape: readonly number[], heads: number): void {
  reorder(values, shape, heads, (row, half) => (row % 2) * half + (row >> 1));
}

/** The way back. */
export function interleavedToHalves(values: Float32Array, shape: readonly number[], heads: number): void {
  reorder(values, shape, heads, (row, half) => 2 * (row % half) + (row < half ? 0 : 1));
}

/** @param from which of a head's rows comes to a place */
function reorder(
  values: Float32Array,
  [rows = 1]: readonly number[],
  heads: number,
  from: (row: number, half: number) => number,
): void {
  const width = values.length / rows;
  const head = rows / heads;
  const old = new Float32Array(head * width);
  for (let start = 0; start < values.length; start += old.length) {
    old.set(values.subarray(start, start + old.length));
    for (let row = 0; row < head; row++) {
      const at = from(row, head / 2) * width;
      values.set(old.subarray(at, at + width), start + row * width);
    }
  }
}

/** Adds a number to each. */
export function shiftAll(values: Float32Array, by: number): void {
  for (let i = 0; i < values.length; i++) values[i] = values[i]! + by;
}

/** Turns a row-major matrix of [rows, columns] into one of [columns, rows]. */
export function transpose(values: Float32Array, rows: number, columns: number): void {
  const old = values.slice();
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) values[column * rows + row] = old[row * columns + column]!;
}
