/**
 * The names most like a word that is none of them, by edit distance (insertions, deletions, substitutions and swaps of
 * neighbours; Damerau 1964) without regard to case and punctuation; names that contain the word come first. What a name
 * has after the part that the word is like counts little: `gtp2` is nearer to `gpt2-124m` than to `gpt-1t`.
 *
 * @param count how many at most
 */
export function nearestNames(word: string, names: readonly string[], count = 5): string[] {
  // The distance takes time with the product of the lengths, and a name is never long.
  const wanted = plain(word.slice(0, 64));
  const scored = names.map((name, order) => {
    const candidate = plain(name);
    const contains = wanted.length > 1 && (candidate.includes(wanted) || wanted.includes(candidate));
    return { name, order, score: distanceToStart(wanted, candidate) - (contains ? 100 : 0) };
  });
  scored.sort((a, b) => a.score - b.score || a.order - b.order);
  return scored.slice(0, count).map(({ name }) => name);
}

/** Lower case, letters and digits only. */
export const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9.]/g, '');

/** Edits that a letter left over at the end of a name counts as. */
const REST = 0.2;

/** Edits that turn a word into a name, or into its beginning, the rest of it at a discount. */
function distanceToStart(word: string, name: string): number {
  return Math.min(...editsToStarts(word, name).map((edits, length) => edits + REST * (name.length - length)));
}

/** Edits that turn one text into the other; a swap of neighbours is one. */
export function editDistance(a: string, b: string): number {
  return editsToStarts(a, b)[b.length]!;
}

/** Edits that turn `a` into the first 0, 1, 2, … letters of `b`. */
function editsToStarts(a: string, b: string): number[] {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1);
      row.push(cost);
    }
    before = last;
    last = row;
  }
  return last;
}
