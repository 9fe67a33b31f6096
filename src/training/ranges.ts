/** Elements that one run of an optimiser's graph works on: its operands and their intermediates stay in a core's cache. */
export const RANGE = 2 ** 16;

/** Some elements of a vector: from `start` up to, not including, `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** Cuts [from, to) into ranges of {@link RANGE} elements, the last perhaps shorter. */
export function* cutRanges(from: number, to: number): Generator<Range> {
  for (let start = from; start < to; start += RANGE) yield { start, end: Math.min(to, start + RANGE) };
}
