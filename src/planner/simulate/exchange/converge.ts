import { SharedFlow } from '../shared-flow.js';

/** Transfers of equal size between one reducer and many workers over the reducer's line. */
export interface Convergence {
  /** Bytes a second of the reducer's line in this direction. */
  readonly capacity: number;
  readonly bytes: number;
  /** The workers in the order in which they start, without the reducer. */
  readonly order: readonly number[];
  /** By worker: when its transfer starts, and the bytes a second that its own line has for it. */
  readonly start: (worker: number) => number;
  readonly cap: (worker: number) => number;
}

/**
 * Computes when each transfer ends, the reducer's line shared as a fluid.
 *
 * @param ended called for each, by rising time
 */
export function converge(
  { capacity, bytes, order, start, cap }: Convergence,
  ended: (worker: number, at: number) => void,
): void {
  const flow = new SharedFlow(capacity);
  const batches: (readonly number[])[] = [];
  let i = 0;
  for (;;) {
    const next = flow.next();
    const starts = i < order.length ? start(order[i]!) : Number.POSITIVE_INFINITY;
    if (next && next.at <= starts) {
      flow.complete(next);
      for (const worker of batches[next.transfer.number]!) ended(worker, next.at);
    } else if (i < order.length) {
      // Those that start together over equal lines end together.
      const together = new Map<number, number[]>();
      for (; i < order.length && start(order[i]!) === starts; i++) {
        const own = cap(order[i]!);
        const alike = together.get(own);
        if (alike) alike.push(order[i]!);
        else together.set(own, [order[i]!]);
      }
      for (const [own, workers] of together) batches[flow.start(starts, bytes, own, workers.length).number] = workers;
    } else return;
  }
}
