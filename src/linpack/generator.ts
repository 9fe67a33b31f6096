import type { Real } from './types.js';

/** X(n + 1) = A · X(n) + 1 mod 2^64, the generator of HPL 2.3 (testing/matgen: HPL_rand, HPL_setran, HPL_xjumpm). */
const A = 6364136223846793005n;
const MASK = (1n << 64n) - 1n;
const [A_HIGH, A_LOW] = [Number(A >> 32n), Number(A & 0xffff_ffffn)];
/** HPL's seed of the matrix. */
const SEED = 100n;

/** The generator's state after `count` steps from `state`, in as many doublings as `count` has bits. */
function jump(state: bigint, count: bigint): bigint {
  let [multiplier, increment] = [A, 1n];
  let x = state;
  for (let left = count; left > 0n; left >>= 1n) {
    if (left & 1n) x = (x * multiplier + increment) & MASK;
    increment = ((multiplier + 1n) * increment) & MASK;
    multiplier = (multiplier * multiplier) & MASK;
  }
  return x;
}

/**
 * Fills columns of HPL's random matrix [A | b], whose entries are uniform in (−0.5, 0.5]: column by column,
 * entry (i, j) is value number j · n + i of the generator that starts from 100.
 *
 * @param out [n, columns], row by row
 * @param first the matrix's column that is the first of `out`; column n is the right-hand side
 */
export function fillColumns(out: Real, n: number, columns: number, first: number): void {
  for (let j = 0; j < columns; j++) {
    const state = jump(SEED, BigInt(first + j) * BigInt(n));
    let high = Number(state >> 32n);
    let low = Number(state & 0xffff_ffffn);
    for (let i = 0; i < n; i++) {
      out[i * columns + j] = 0.5 - (low / 2 ** 32 + high) / 2 ** 32;
      // The product's upper half needs the carry of low · A_LOW, which 32-bit integers cannot hold: by halves of 16 bits.
      const [p, q] = [low & 0xffff, low >>> 16];
      const [r, s] = [A_LOW & 0xffff, A_LOW >>> 16];
      const middle = p * s + ((p * r) >>> 16);
      const carry = q * s + Math.floor((q * r + middle) / 2 ** 16);
      const nextLow = (Math.imul(low, A_LOW) >>> 0) + 1;
      high = (carry + Math.imul(low, A_HIGH) + Math.imul(high, A_LOW) + (nextLow > 0xffff_ffff ? 1 : 0)) >>> 0;
      low = nextLow >>> 0;
    }
  }
}
