import { Permutation } from '../sampling/permutation.js';
import type { SampleList } from '../sampling/shuffled-samples.js';
import type { TokenRow } from './row-file.js';

/** Rows that share a window, one behind the other. */
export type PackedRows = readonly TokenRow[];

interface Sized extends SampleList<TokenRow> {
  sizeOf(index: number): number;
}

/** Windows that are not full yet and may take another row: more would fit a little better, and take longer to look through. */
const OPEN = 64;

/**
 * Shares rows out to windows: in a pseudo-random order, each into the fullest of the open windows that it fits in. A row
 * of L tokens takes L − 1 places: its last token is only told.
 *
 * @param places of a window; a longer row has a window to itself, and is cut there
 * @returns the numbers of the rows of each window
 */
export function packRows(rows: Pick<Sized, 'length' | 'sizeOf'>, places: number, seed: number): Uint32Array[] {
  const order = new Permutation(Math.max(1, rows.length), seed, 'packing');
  const windows: number[][] = [];
  let open: { rows: number[]; left: number }[] = [];
  for (let place = 0; place < rows.length; place++) {
    const row = order.at(place);
    const size = Math.min(places, rows.sizeOf(row) - 1);
    let best: (typeof open)[number] | undefined;
    for (const window of open) if (window.left >= size && window.left < (best?.left ?? Infinity)) best = window;
    if (best === undefined) {
      best = { rows: [], left: places };
      windows.push(best.rows);
      open.push(best);
    }
    best.rows.push(row);
    best.left -= size;
    if (best.left < 1) open = open.filter((window) => window !== best);
    else if (open.length > OPEN) open = open.toSorted((a, b) => b.left - a.left).slice(0, OPEN);
  }
  return windows.map((window) => Uint32Array.from(window));
}

/** The windows of a list of rows: samples by number, of one row each or of several. */
export class RowWindows implements SampleList<PackedRows> {
  readonly #windows: readonly Uint32Array[] | undefined;

  constructor(
    private readonly rows: Sized,
    { places, packed, seed }: { readonly places: number; readonly packed: boolean; readonly seed: number },
  ) {
    if (packed) this.#windows = packRows(rows, places, seed);
  }

  get length(): number {
    return this.#windows?.length ?? this.rows.length;
  }

  at(index: number): PackedRows {
    const window = this.#windows?.[index] ?? [index];
    return Array.from(window, (row) => this.rows.at(row)!);
  }
}
