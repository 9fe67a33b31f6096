/**
 * The low words of 64-bit integers, every other element: what is written there is the value, as long as it is from 0 to
 * 2³¹ − 1 and the high words are 0. Ids are, and this is 4.5 times as fast as BigInts.
 */
export function lowWords(integers: BigInt64Array): Int32Array {
  return new Int32Array(integers.buffer, integers.byteOffset, integers.length * 2);
}
