import { PairTable } from './pair-table.js';

/** Above this many symbols a word is merged with a heap instead of by looking through it again after each merge. */
const SHORT = 48;

/** Applies byte-pair merges to one word at a time; keeps its working memory. */
export class WordMerger {
  readonly #pairs = new PairTable();
  /** The id that pair number `rank` becomes; a pair's number in the table is its rank. */
  readonly #merged: Int32Array;

  /** @param merges distinct pairs of ids in the order in which they are merged, and the id that each becomes */
  constructor(merges: readonly (readonly [left: number, right: number, merged: number])[]) {
    this.#merged = Int32Array.from(merges, ([, , merged]) => merged);
    for (const [left, right] of merges) this.#pairs.add(left, right);
  }

  /**
   * Merges `ids[0, length)` in place, the lowest rank first and of equal ranks the leftmost.
   *
   * @returns the new length
   */
  merge(ids: Int32Array, length: number): number {
    return length <= SHORT ? this.#mergeShort(ids, length) : this.#mergeLong(ids, length);
  }

  #mergeShort(ids: Int32Array, length: number): number {
    for (;;) {
      let best = -1;
      let place = 0;
      for (let i = 1; i < length; i++) {
        const rank = this.#pairs.get(ids[i - 1]!, ids[i]!);
        if (rank >= 0 && (best < 0 || rank < best)) {
          best = rank;
          place = i;
        }
      }
      if (best < 0) return length;
      ids[place - 1] = this.#merged[best]!;
      ids.copyWithin(place, place + 1, length);
      length--;
    }
  }

  /** The same over a linked list, with a heap of (rank, place) whose entries may be out of date. */
  #mergeLong(ids: Int32Array, length: number): number {
    const next = Int32Array.from({ length }, (_, i) => i + 1);
    const previous = Int32Array.from({ length }, (_, i) => i - 1);
    const heap = new RankHeap();
    const consider = (at: number) => {
      if (at < 0 || next[at]! >= length) return;
      const rank = this.#pairs.get(ids[at]!, ids[next[at]!]!);
      if (rank >= 0) heap.push(rank * 2 ** 31 + at);
    };
    for (let i = 0; i + 1 < length; i++) consider(i);
    for (let top: number | undefined; (top = heap.pop()) !== undefined; ) {
      const rank = Math.floor(top / 2 ** 31);
      const at = top - rank * 2 ** 31;
      const right = next[at]!;
      if (ids[at]! < 0 || right >= length || this.#pairs.get(ids[at]!, ids[right]!) !== rank) continue;
      ids[at] = this.#merged[rank]!;
      ids[right] = -1;
      next[at] = next[right]!;
      if (next[at]! < length) previous[next[at]!] = at;
      consider(previous[at]!);
      consider(at);
    }
    let count = 0;
    for (let at = 0; at < length; at = next[at]!) ids[count++] = ids[at]!;
    return count;
  }
}

/** The smallest number first. */
class RankHeap {
  #heap: number[] = [];

  push(value: number): void {
    const heap = this.#heap;
    let at = heap.push(value) - 1;
    for (let parent: number; at > 0 && value < heap[(parent = (at - 1) >> 1)]!; at = parent) heap[at] = heap[parent]!;
    heap[at] = value;
  }

  pop(): number | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= last) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}
