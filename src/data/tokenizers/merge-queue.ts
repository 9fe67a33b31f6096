import { Heap } from '../../base/heap.js';

/** A pair of tokens waiting to be merged. */
export interface MergeCandidate {
  /** How often the pair came when it was queued; it may have become less since. */
  count: number;
  left: number;
  right: number;
  /** The pair's number in the pair table. */
  pair: number;
  /** The words where it may be found. */
  words: number[];
}

/** The candidates by count, the highest first, and of equal counts by the lower left, then the lower right token. */
export class MergeQueue extends Heap<MergeCandidate> {
  constructor() {
    super(before);
  }
}

function before(a: MergeCandidate, b: MergeCandidate): boolean {
  if (a.count !== b.count) return a.count > b.count;
  return a.left !== b.left ? a.left < b.left : a.right < b.right;
}
