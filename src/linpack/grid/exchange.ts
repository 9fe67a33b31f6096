import { MeanfieldError } from '../../base/errors.js';
import type { Layout } from './layout.js';

/** Which rows change places in one step, over all of the grid. Rows are counted from the panel's first. */
export interface RowExchange {
  /** For each of the first `width` rows the row that comes there. */
  readonly up: readonly number[];
  /** Rows below the first `width` that get one of those, and which. */
  readonly down: readonly { readonly to: number; readonly from: number }[];
}

/**
 * What a panel's pivots do to rows as a whole.
 *
 * @param pivots row j changed places with row `pivots[j]`, in this order
 * @param rows of the panel
 * @throws MeanfieldError when they are no pivots: what another machine sent
 */
export function exchangeOf(pivots: ArrayLike<number>, rows: number): RowExchange {
  const width = pivots.length;
  const moved = new Map<number, number>();
  const at = (row: number) => moved.get(row) ?? row;
  for (let j = 0; j < width; j++) {
    const other = pivots[j]!;
    if (!(Number.isInteger(other) && other >= j && other < rows)) {
      throw new MeanfieldError(
        `A panel came with pivot ${other} for column ${j}; expected a row from ${j} to ${rows - 1}.`,
      );
    }
    const [own, theirs] = [at(j), at(other)];
    moved.set(j, theirs);
    moved.set(other, own);
  }
  const down = [...moved].flatMap(([to, from]) => (to >= width && to !== from ? [{ to, from }] : []));
  return { up: Array.from({ length: width }, (_, j) => at(j)), down: down.sort((a, b) => a.to - b.to) };
}

/** The rows that a row of the grid sends up, as places among the first and places among its own rows. */
export function rowsUp(layout: Layout, { up }: RowExchange, start: number, row: number) {
  return up.flatMap((from, to) => {
    const place = layout.local(start + from);
    return place.row === row ? [{ to, at: place.at }] : [];
  });
}

/** The rows that a row of the grid gets from the first ones, as places among these and places among its own rows. */
export function rowsDown(layout: Layout, { down }: RowExchange, start: number, row: number) {
  return down.flatMap(({ to, from }) => {
    const place = layout.local(start + to);
    return place.row === row ? [{ from, at: place.at }] : [];
  });
}
