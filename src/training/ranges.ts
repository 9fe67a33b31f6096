/** Elements that a thread works on in one run of an optimiser's graph: little enough to stay in a core's cache. */
export const RANGE = 2 ** 18;

/** Some elements of a vector: from `start` up to, not including, `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** Cuts [from, to) into ranges of `length` elements, the last perhaps shorter. */
export function* cutRanges(from: number, to: number, length = RANGE): Generator<Range> {
  for (let start = from; start < to; start += length) yield { start, end: Math.min(to, start + length) };
}

/** What is left of a range without the given ones, which lie in order and do not overlap. */
export function* without({ start, end }: Range, gaps: readonly Range[]): Generator<Range> {
  let from = start;
  for (const gap of gaps) {
    if (gap.end <= from || gap.start >= end) continue;
    if (gap.start > from) yield { start: from, end: gap.start };
    from = gap.end;
  }
  if (from < end) yield { start: from, end };
}
