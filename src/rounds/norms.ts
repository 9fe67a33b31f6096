/** The middle value, or the mean of the two middle ones. Undefined for an empty list. */
export function median(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >>> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/**
 * Which norms are outliers: above `factor` times the median of all. A median says nothing with fewer than three
 * values, nor when it is 0, and nobody is refused then. At least half of the values always remain.
 *
 * @returns the positions of the outliers
 */
export function outliers(norms: readonly number[], factor: number | null): number[] {
  if (factor === null || norms.length < 3) return [];
  const limit = median(norms)! * factor;
  return limit > 0 ? norms.flatMap((norm, i) => (norm > limit ? [i] : [])) : [];
}
