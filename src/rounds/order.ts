/**
 * Replica order: the fixed order of members, contributions and sums. Shorter names first, then by code unit, so that
 * `replica-2` comes before `replica-10` and no locale has a say.
 */
export function compareNames(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

/** Where `worker` is in a list in replica order, or `-1 - i` when it would stand at `i`. */
export function indexOf(list: readonly { readonly worker: string }[], worker: string): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compareNames(list[middle]!.worker, worker);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return -1 - low;
}

export function find<T extends { readonly worker: string }>(list: readonly T[], worker: string): T | undefined {
  return list[indexOf(list, worker)];
}

/** A copy of a list in replica order with this item in it, in place of one of the same worker. */
export function withItem<T extends { readonly worker: string }>(list: readonly T[], item: T): readonly T[] {
  const at = indexOf(list, item.worker);
  const copy = list.slice();
  if (at >= 0) copy[at] = item;
  else copy.splice(-1 - at, 0, item);
  return copy;
}

/** A copy of a list in replica order without the worker. */
export function withoutItem<T extends { readonly worker: string }>(list: readonly T[], worker: string): readonly T[] {
  return list.filter((item) => item.worker !== worker);
}
