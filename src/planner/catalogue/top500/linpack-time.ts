/** What a run of `meanfield linpack` is predicted from. */
export interface LinpackSetting {
  readonly n: number;
  /** Of the factors. */
  readonly precision: 'fp64' | 'fp32';
  /** FLOP/s of square products in that precision on all threads that take part, as measured. */
  readonly products: number;
}

/**
 * What is not a large product, in products' FLOP for each of the n² entries: pivoting, exchanges of rows, narrow products,
 * and in fp32 the refinement. Fitted to n of 2,000, 3,000 and 4,000 on one thread of a Xeon (Sapphire Rapids), which they
 * meet within a fifth. It is work in proportion to n², so that a large n comes near the products' rate.
 */
const BESIDE_PRODUCTS = { fp64: 4200, fp32: 10_500 } as const;

/**
 * How fast LINPACK is expected to be on one machine: 2/3 n³ operations at the products' rate, and the rest, which the
 * threads share.
 *
 * @returns seconds, and the rate by HPL's count of operations, FLOP/s
 */
export function predictLinpack({ n, precision, products }: LinpackSetting): {
  readonly seconds: number;
  readonly rate: number;
} {
  const seconds = ((2 / 3) * n ** 3 + BESIDE_PRODUCTS[precision] * n ** 2) / products;
  return { seconds, rate: ((2 / 3) * n ** 3 + 1.5 * n ** 2) / seconds };
}

/**
 * From which line on a grid of equal machines is faster than one of them alone. Each gets its rows of every panel, and with
 * several rows of machines the rows of U that are made and up to half as many again that change places; nothing is sent
 * while something is computed. Delays are left out.
 *
 * @param alone seconds that one machine takes
 * @returns bytes a second into each machine; null for a grid of one
 */
export function payingBandwidth({
  n,
  rows,
  columns,
  alone,
}: {
  readonly n: number;
  readonly rows: number;
  readonly columns: number;
  readonly alone: number;
}): number | null {
  const size = rows * columns;
  if (size === 1) return null;
  const bytes = 8 * (n ** 2 / 2) * (1 / rows + (rows > 1 ? 1.5 / columns : 0));
  return bytes / (alone * (1 - 1 / size));
}
