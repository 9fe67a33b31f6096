/** Numbers from `start` up to, not including, `end`. */
export interface SampleRange {
  readonly start: number;
  readonly end: number;
}

/** How many numbers some ranges hold. */
export function countOf(ranges: readonly SampleRange[]): number {
  return ranges.reduce((sum, { start, end }) => sum + end - start, 0);
}

/** Ranges in the order given, neighbours that touch as one. */
export function joined(ranges: readonly SampleRange[]): SampleRange[] {
  const result: SampleRange[] = [];
  for (const { start, end } of ranges) {
    const last = result.at(-1);
    if (last?.end === start) result[result.length - 1] = { start: last.start, end };
    else result.push({ start, end });
  }
  return result;
}

/** Ranges from the lowest to the highest, those that touch as one. They must not overlap. */
export function sorted(ranges: readonly SampleRange[]): SampleRange[] {
  return joined([...ranges].sort((a, b) => a.start - b.start));
}

/** The first `count` numbers of some ranges, in their order, and what is left. */
export function takeFirst(
  ranges: readonly SampleRange[],
  count: number,
): { taken: SampleRange[]; rest: SampleRange[] } {
  const taken: SampleRange[] = [];
  const rest: SampleRange[] = [];
  let missing = count;
  for (const { start, end } of ranges) {
    const cut = Math.min(end, start + missing);
    if (cut > start) taken.push({ start, end: cut });
    if (cut < end) rest.push({ start: cut, end });
    missing -= cut - start;
  }
  return { taken, rest };
}

/** The part of some ranges that lies in [from, to). */
export function within(ranges: readonly SampleRange[], from: number, to: number): SampleRange[] {
  return ranges
    .map(({ start, end }) => ({ start: Math.max(start, from), end: Math.min(end, to) }))
    .filter(({ start, end }) => start < end);
}
