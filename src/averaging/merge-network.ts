/** Puts the lesser of two values at the first place and the greater at the second. */
export type Comparator = readonly [number, number];

/**
 * Comparators that sort any `n` values: Batcher's odd-even merge sort in Knuth's form for any n (The Art of Computer
 * Programming, volume 3, 5.2.2, algorithm M), less those that no wanted place depends on.
 *
 * @param wanted places of the sorted order that must be right
 */
export function sortingNetwork(n: number, wanted: readonly number[]): Comparator[] {
  const all: Comparator[] = [];
  const top = n > 1 ? 2 ** (Math.ceil(Math.log2(n)) - 1) : 0;
  for (let p = top; p >= 1; p /= 2) {
    let [q, r, d] = [top, 0, p];
    for (;;) {
      for (let i = 0; i < n - d; i++) if ((i & p) === r) all.push([i, i + d]);
      if (q === p) break;
      [d, q, r] = [q - p, q / 2, p];
    }
  }
  const needed = new Set(wanted);
  const kept = all.reverse().filter(([a, b]) => {
    if (!needed.has(a) && !needed.has(b)) return false;
    needed.add(a).add(b);
    return true;
  });
  return kept.reverse();
}
