/** Numbers from `start` up to, not including, `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** How many numbers some ranges hold. */
export function countOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, { start, end }) => sum + end - start, 0);
}

/** Ranges in the order given, neighbours that touch as one. */
export function joined(ranges: readonly Range[]): Range[] {
  const result: Range[] = [];
  for (const { start, end } of ranges) {
    const last = result.at(-1);
    if (last?.end === start) result[result.length - 1] = { start: last.start, end };
    else result.push({ start, end });
  }
  return result;
}

/** Ranges from the lowest to the highest, those that touch as one. They must not overlap. */
export function sorted(ranges: readonly Range[]): Range[] {
  return joined([...ranges].sort((a, b) => a.start - b.start));
}

/** The first `count` numbers of some ranges, in their order, and what is left. */
export function takeFirst(ranges: readonly Range[], count: number): { taken: Range[]; rest: Range[] } {
  const taken: Range[] = [];
  const rest: Range[] = [];
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
export function within(ranges: readonly Range[], from: number, to: number): Range[] {
  return ranges
    .map(({ start, end }) => ({ start: Math.max(start, from), end: Math.min(end, to) }))
    .filter(({ start, end }) => start < end);
}
