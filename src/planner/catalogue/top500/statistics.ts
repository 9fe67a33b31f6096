/** The middle of positive values; of an even number the geometric mean of the middle two. */
export function geometricMedian(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : Math.sqrt(sorted[middle - 1]! * sorted[middle]!);
}
