/** Code points as ranges [first, last] that ascend and do not touch. */
export type Ranges = readonly (readonly [number, number])[];

/** All that text can hold: halves of characters (surrogates) are none. */
export const ANY_CHARACTER: Ranges = [
  [0, 0xd7ff],
  [0xe000, 0x10ffff],
];

export function unite(...parts: readonly Ranges[]): Ranges {
  const sorted = parts.flat().sort((a, b) => a[0] - b[0]);
  const united: [number, number][] = [];
  for (const [first, last] of sorted) {
    const before = united.at(-1);
    if (before && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else united.push([first, last]);
  }
  return united;
}

/** What {@link ANY_CHARACTER} holds beside these. */
export function others(ranges: Ranges): Ranges {
  const left: [number, number][] = [];
  let next = 0;
  for (const [first, last] of ranges) {
    if (first > next) left.push([next, first - 1]);
    next = last + 1;
  }
  if (next <= 0x10ffff) left.push([next, 0x10ffff]);
  return intersect(left, ANY_CHARACTER);
}

export function intersect(left: Ranges, right: Ranges): Ranges {
  const common: [number, number][] = [];
  for (let i = 0, j = 0; i < left.length && j < right.length; ) {
    const first = Math.max(left[i]![0], right[j]![0]);
    const last = Math.min(left[i]![1], right[j]![1]);
    if (first <= last) common.push([first, last]);
    if (left[i]![1] < right[j]![1]) i++;
    else j++;
  }
  return common;
}

/** A sequence of ranges of bytes. */
export type ByteSequence = readonly (readonly [number, number])[];

/** The UTF-8 of code points, as sequences of ranges of bytes of which a character matches exactly one. */
export function utf8Sequences(ranges: Ranges): ByteSequence[] {
  const sequences: ByteSequence[] = [];
  const add = (first: number, last: number): void => {
    for (const bound of [0x7f, 0x7ff, 0xffff])
      if (first <= bound && last > bound) {
        add(first, bound);
        add(bound + 1, last);
        return;
      }
    // Cut so that all but the first byte that differs run over all of their values.
    for (const bits of [6, 12, 18]) {
      const mask = (1 << bits) - 1;
      if (first < 0x80 || (first & ~mask) === (last & ~mask)) continue;
      if ((first & mask) !== 0) {
        add(first, first | mask);
        add((first | mask) + 1, last);
        return;
      }
      if ((last & mask) !== mask) {
        add(first, (last & ~mask) - 1);
        add(last & ~mask, last);
        return;
      }
    }
    const [low, high] = [first, last].map((point) => Buffer.from(String.fromCodePoint(point)));
    sequences.push(Array.from(low!, (byte, i) => [byte, high![i]!]));
  };
  for (const [first, last] of intersect(ranges, ANY_CHARACTER)) add(first, last);
  return sequences;
}
