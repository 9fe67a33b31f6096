/** Where a machine stands in a grid. */
export interface Place {
  readonly row: number;
  readonly column: number;
}

/**
 * How [A | b] is dealt to a grid of machines: blocks of nb × nb, in turn by rows and by columns (the 2-D block-cyclic
 * layout of HPL and ScaLAPACK). The right-hand side is one column of blocks more, of width 1.
 */
export class Layout {
  /** Blocks along a side of the matrix. */
  readonly blocks: number;

  constructor(
    readonly n: number,
    readonly nb: number,
    /** Machines along a column and along a row of the grid. */
    readonly rows: number,
    readonly columns: number,
  ) {
    this.blocks = Math.ceil(n / nb);
  }

  get size(): number {
    return this.rows * this.columns;
  }

  place(rank: number): Place {
    return { row: Math.floor(rank / this.columns), column: rank % this.columns };
  }

  rank(row: number, column: number): number {
    return row * this.columns + column;
  }

  /** Who has block (i, j). */
  owner(i: number, j: number): number {
    return this.rank(i % this.rows, j % this.columns);
  }

  /** First row or column of a block. */
  start(block: number): number {
    return Math.min(block * this.nb, this.n);
  }

  /** Columns of a block, or its rows; 1 for the right-hand side. */
  width(block: number): number {
    return block === this.blocks ? 1 : this.start(block + 1) - this.start(block);
  }

  /** Blocks of rows from `from` on that a row of the grid has. */
  rowBlocks(row: number, from = 0): number[] {
    return every(from, this.blocks, row, this.rows);
  }

  /** Blocks of columns from `from` on that a column of the grid has, the right-hand side among them. */
  columnBlocks(column: number, from = 0): number[] {
    return every(from, this.blocks + 1, column, this.columns);
  }

  /** Rows of the matrix that a row of the grid has in blocks before `block`: the place of that block's first row in it. */
  rowsBefore(row: number, block: number): number {
    return this.rowBlocks(row).reduce((sum, i) => sum + (i < block ? this.width(i) : 0), 0);
  }

  /** Rows of the matrix that a row of the grid has in blocks from `block` on. */
  rowsFrom(row: number, block: number): number {
    return this.rowBlocks(row, block).reduce((sum, i) => sum + this.width(i), 0);
  }

  /** Columns that a column of the grid has in blocks from `block` on, the right-hand side's among them. */
  columnsFrom(column: number, block: number): number {
    return this.columnBlocks(column, block).reduce((sum, j) => sum + this.width(j), 0);
  }

  /** Which row of the grid has a row of the matrix, and where among its rows. */
  local(globalRow: number): { readonly row: number; readonly at: number } {
    const block = Math.floor(globalRow / this.nb);
    return { row: block % this.rows, at: Math.floor(block / this.rows) * this.nb + (globalRow % this.nb) };
  }
}

function every(from: number, end: number, first: number, step: number): number[] {
  const blocks = [];
  for (let block = first; block < end; block += step) if (block >= from) blocks.push(block);
  return blocks;
}
