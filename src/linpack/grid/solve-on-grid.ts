import { setImmediate } from 'node:timers/promises';
import { fillColumns } from '../generator.js';
import type { Kernels } from '../kernels.js';
import { EPSILON, type Fill } from '../measure.js';
import { PanelFactorizer } from '../panel.js';
import { dot, infinityNorm } from '../solve.js';
import { cutTriangle, solveUnitLower } from '../triangle.js';
import { exchangeOf, rowsDown, rowsUp } from './exchange.js';
import type { Layout, Place } from './layout.js';
import type { Link } from './link.js';
import { copyRows, LocalMatrix } from './local-matrix.js';

/** What a machine knows at the end. */
export interface GridSolution {
  readonly milliseconds: number;
  readonly x: Float64Array;
  /** HPL's scaled residual, on machine 0. */
  readonly residual: number | undefined;
}

/** A panel's factors as the machines of one row of the grid get them. */
interface Factors {
  readonly pivots: Float64Array;
  /** The square on the diagonal, [width, width]. */
  readonly square: Float64Array;
  /** L in this row of the grid's rows below it. */
  readonly below: Float64Array;
}

/**
 * Solves HPL's system as one machine of a grid, each of which calls this: right-looking LU with partial pivoting over a
 * 2-D block-cyclic layout. A panel is gathered on one machine, which factors it alone and gives each row of the grid its
 * part: three messages a panel, where choosing pivots together would take two for each column, and lines between
 * machines are slow. Rows are exchanged once a panel, with the rows of U that all below need.
 */
export class GridSolver {
  readonly #place: Place;
  readonly #matrix: LocalMatrix;
  readonly #panels: PanelFactorizer;

  constructor(
    private readonly layout: Layout,
    private readonly link: Link,
    private readonly kernels: Kernels,
    private readonly fill: Fill = fillColumns,
    /** Told after each step, which is then done with all its letters. */
    private readonly onProgress: (share: number, step: number) => void = () => {},
  ) {
    this.#place = layout.place(link.rank);
    this.#matrix = new LocalMatrix(layout, this.#place.row, this.#place.column);
    this.#panels = new PanelFactorizer(kernels, 'float64', layout.n, Math.min(layout.n, layout.nb));
  }

  /** @throws MeanfieldError when the matrix is singular, or another machine fails or sends what cannot be */
  async solve(): Promise<GridSolution> {
    const { layout } = this;
    await this.#matrix.fill(this.fill);
    await this.#together();
    const begin = performance.now();
    for (let step = 0; step < layout.blocks; step++) {
      await this.#eliminate(step, await this.#factor(step));
      this.onProgress(1 - (1 - layout.start(step + 1) / layout.n) ** 3, step);
    }
    const x = await this.#substituteBack();
    const milliseconds = performance.now() - begin;
    await this.#matrix.fill(this.fill);
    return { milliseconds, x, residual: await this.#residual(x) };
  }

  get #all(): number[] {
    return Array.from({ length: this.layout.size }, (_, rank) => rank);
  }

  /** The clock starts when all have their matrix. */
  async #together(): Promise<void> {
    const { link, layout } = this;
    const nothing = new Float64Array(0);
    if (link.rank !== 0) {
      await link.send([0], 'ready', 0, nothing);
      await link.receive('go', 0, 0, 0);
      return;
    }
    for (let rank = 1; rank < layout.size; rank++) await link.receive('ready', 0, rank, 0);
    await link.send(this.#all, 'go', 0, nothing);
  }

  async #factor(step: number): Promise<Factors> {
    const { layout, link } = this;
    const { row, column } = this.#place;
    const width = layout.width(step);
    const root = layout.owner(step, step);
    if (link.rank === root) return this.#factorAlone(step);
    if (column === step % layout.columns && layout.rowsFrom(row, step) > 0) {
      await link.send([root], 'panel', step, this.#matrix.block(step, layout.rowsBefore(row, step)).slice());
    }
    const rows = layout.rowsFrom(row, step + 1);
    const values = await link.receive('factors', step, root, width + width * width + rows * width);
    return {
      pivots: values.subarray(0, width),
      square: values.subarray(width, width + width * width),
      below: values.subarray(width + width * width),
    };
  }

  /** Gathers a panel, factors it, keeps U, and gives each row of the grid its part. */
  async #factorAlone(step: number): Promise<Factors> {
    const { layout, link } = this;
    const { column } = this.#place;
    const [start, width] = [layout.start(step), layout.width(step)];
    const rows = layout.n - start;
    const panel = new Float64Array(rows * width);
    const move = (part: Float64Array, gridRow: number, gather: boolean) => {
      let at = 0;
      for (const block of layout.rowBlocks(gridRow, step)) {
        const count = layout.width(block);
        if (gather) copyRows(part, at, panel, layout.start(block) - start, width, count);
        else if (block > step) copyRows(panel, layout.start(block) - start, part, at, width, count);
        if (gather || block > step) at += count;
      }
    };
    for (let gridRow = 0; gridRow < layout.rows; gridRow++) {
      const count = layout.rowsFrom(gridRow, step);
      if (count === 0) continue;
      const from = layout.rank(gridRow, column);
      const part =
        from === link.rank
          ? this.#matrix.block(step, layout.rowsBefore(gridRow, step))
          : await link.receive('panel', step, from, count * width);
      move(part, gridRow, true);
    }
    const pivots = new Int32Array(width);
    await this.#panels.factor(panel, rows, width, pivots, start);
    copyRows(panel, 0, this.#matrix.block(step, layout.rowsBefore(this.#place.row, step)), 0, width, width);
    let own: Factors | undefined;
    for (let gridRow = 0; gridRow < layout.rows; gridRow++) {
      const message = new Float64Array(width + width * width + layout.rowsFrom(gridRow, step + 1) * width);
      const [square, below] = [message.subarray(width, width + width * width), message.subarray(width + width * width)];
      message.set(pivots);
      square.set(panel.subarray(0, width * width));
      move(below, gridRow, false);
      const to = Array.from({ length: layout.columns }, (_, gridColumn) => layout.rank(gridRow, gridColumn));
      await link.send(to, 'factors', step, message);
      if (gridRow === this.#place.row) own = { pivots: message.subarray(0, width), square, below };
    }
    return own!;
  }

  /** Exchanges rows, makes U's rows and subtracts their products in all blocks to the right of a panel. */
  async #eliminate(step: number, { pivots, square, below }: Factors): Promise<void> {
    const { layout, kernels } = this;
    const { row } = this.#place;
    const width = layout.width(step);
    const u = await this.#exchange(step, pivots, square);
    const at = layout.rowsBefore(row, step + 1);
    const rows = layout.rowsFrom(row, step + 1);
    for (const [block] of this.#matrix.from(step + 1)) {
      const columns = layout.width(block);
      if (rows > 0)
        await kernels.subtractProduct(this.#matrix.block(block, at), below, u.get(block)!, rows, width, columns);
      // Signs of life and letters of others are not to wait for all products of a step.
      await setImmediate();
    }
  }

  /** Rows of U by block of columns, [width, columns], once rows have changed places. */
  async #exchange(step: number, pivots: Float64Array, square: Float64Array): Promise<Map<number, Float64Array>> {
    const { layout, link, kernels } = this;
    const { row, column } = this.#place;
    const [start, width] = [layout.start(step), layout.width(step)];
    const exchange = exchangeOf(pivots, layout.n - start);
    const blocks = [...this.#matrix.from(step + 1)];
    const u = new Map(blocks.map(([block]) => [block, new Float64Array(width * layout.width(block))]));
    const columns = layout.columnsFrom(column, step + 1);
    if (columns === 0) return u;
    const topRow = step % layout.rows;
    const top = layout.rank(topRow, column);
    /** Goes through rows of all blocks as one message holds them: row after row in each block. */
    const pack = (values: Float64Array, count: number, each: (i: number, block: number, slot: number) => void) => {
      let slot = 0;
      for (const [block] of blocks) {
        for (let i = 0; i < count; i++, slot += layout.width(block)) each(i, block, slot);
      }
      return values;
    };
    const rowOf = (block: number, at: number) => this.#matrix.block(block, at).subarray(0, layout.width(block));
    const down = rowsDown(layout, exchange, start, row);
    if (row !== topRow) {
      const up = rowsUp(layout, exchange, start, row);
      if (up.length > 0) {
        const message = new Float64Array(up.length * columns);
        pack(message, up.length, (i, block, slot) => message.set(rowOf(block, up[i]!.at), slot));
        await link.send([top], 'rows', step, message);
      }
      const answer = await link.receive('top', step, top, (width + down.length) * columns);
      pack(answer, width, (i, block, slot) =>
        u.get(block)!.set(answer.subarray(slot, slot + layout.width(block)), i * layout.width(block)),
      );
      const moved = answer.subarray(width * columns);
      pack(moved, down.length, (i, block, slot) =>
        rowOf(block, down[i]!.at).set(moved.subarray(slot, slot + layout.width(block))),
      );
      return u;
    }
    const at = layout.rowsBefore(row, step);
    const old = new Map(
      blocks.map(([block]) => [block, this.#matrix.block(block, at).slice(0, width * layout.width(block))]),
    );
    const oldRow = (block: number, i: number) =>
      old.get(block)!.subarray(i * layout.width(block), (i + 1) * layout.width(block));
    for (let gridRow = 0; gridRow < layout.rows; gridRow++) {
      const up = rowsUp(layout, exchange, start, gridRow);
      if (up.length === 0) continue;
      if (gridRow === row) {
        for (const [block] of blocks)
          for (const { to, at: from } of up) u.get(block)!.set(rowOf(block, from), to * layout.width(block));
        continue;
      }
      const message = await link.receive('rows', step, layout.rank(gridRow, column), up.length * columns);
      pack(message, up.length, (i, block, slot) =>
        u.get(block)!.set(message.subarray(slot, slot + layout.width(block)), up[i]!.to * layout.width(block)),
      );
    }
    const triangle = cutTriangle(square, width);
    for (const [block, values] of u) {
      await solveUnitLower(kernels, triangle, values, layout.width(block));
      copyRows(values, 0, this.#matrix.block(block, at), 0, layout.width(block), width);
      for (const { from, at: to } of down) rowOf(block, to).set(oldRow(block, from));
    }
    for (let gridRow = 0; gridRow < layout.rows; gridRow++) {
      if (gridRow === row) continue;
      const theirs = rowsDown(layout, exchange, start, gridRow);
      const message = new Float64Array((width + theirs.length) * columns);
      pack(message, width, (i, block, slot) =>
        message.set(u.get(block)!.subarray(i * layout.width(block), (i + 1) * layout.width(block)), slot),
      );
      const moved = message.subarray(width * columns);
      pack(moved, theirs.length, (i, block, slot) => moved.set(oldRow(block, theirs[i]!.from), slot));
      await link.send([layout.rank(gridRow, column)], 'top', step, message);
    }
    return u;
  }

  /** x ← U⁻¹ y, from the last block up: its owner solves, all hear, and its column takes its part off the others' y. */
  async #substituteBack(): Promise<Float64Array> {
    const { layout, link } = this;
    const { row, column } = this.#place;
    const rhs = layout.blocks % layout.columns;
    const x = new Float64Array(layout.n);
    for (let step = layout.blocks - 1; step >= 0; step--) {
      const [start, width] = [layout.start(step), layout.width(step)];
      const root = layout.owner(step, step);
      const holder = layout.rank(step % layout.rows, rhs);
      const own = (): Float64Array => this.#matrix.block(layout.blocks, layout.rowsBefore(row, step)).slice(0, width);
      if (link.rank === holder) await link.send([root], 'rhs', step, own());
      let part: Float64Array;
      if (link.rank === root) {
        part = holder === root ? own() : await link.receive('rhs', step, holder, width);
        const u = this.#matrix.block(step, layout.rowsBefore(row, step));
        for (let i = width - 1; i >= 0; i--) {
          part[i] = (part[i]! - dot(u, i * width + i + 1, part, i + 1, width - 1 - i)) / u[i * width + i]!;
        }
        await link.send(this.#all, 'solution', step, part);
      } else part = await link.receive('solution', step, root, width);
      x.set(part, start);
      const rows = layout.rowsBefore(row, step);
      if (rows === 0) continue;
      const solver = layout.rank(row, step % layout.columns);
      let off: Float64Array | undefined;
      if (link.rank === solver) {
        const u = this.#matrix.block(step);
        off = Float64Array.from({ length: rows }, (_, i) => dot(u, i * width, part, 0, width));
        await link.send([layout.rank(row, rhs)], 'partial', step, off);
      }
      if (column !== rhs) continue;
      off ??= await link.receive('partial', step, solver, rows);
      const y = this.#matrix.block(layout.blocks);
      for (let i = 0; i < rows; i++) y[i] = y[i]! - off[i]!;
    }
    return x;
  }

  /** Machine 0 adds what each computes of A x and of the sums of |A|'s rows. */
  async #residual(x: Float64Array): Promise<number | undefined> {
    const { layout, link } = this;
    const own = new Float64Array(2 * this.#matrix.rows);
    for (const [block, a] of this.#matrix.from(0)) {
      if (block === layout.blocks) continue;
      const [start, width] = [layout.start(block), layout.width(block)];
      for (let i = 0; i < this.#matrix.rows; i++) {
        own[2 * i] = own[2 * i]! + dot(a, i * width, x, start, width);
        for (let k = 0; k < width; k++) own[2 * i + 1] = own[2 * i + 1]! + Math.abs(a[i * width + k]!);
      }
      await setImmediate();
    }
    if (link.rank !== 0) {
      await link.send([0], 'check', 0, own);
      return undefined;
    }
    const [product, sums, b] = [new Float64Array(layout.n), new Float64Array(layout.n), new Float64Array(layout.n)];
    this.fill(b, layout.n, 1, layout.n);
    for (let rank = 0; rank < layout.size; rank++) {
      const { row } = layout.place(rank);
      const part = rank === 0 ? own : await link.receive('check', 0, rank, 2 * layout.rowsFrom(row, 0));
      for (let i = 0; i < layout.n; i++) {
        const place = layout.local(i);
        if (place.row !== row) continue;
        product[i] = product[i]! + part[2 * place.at]!;
        sums[i] = sums[i]! + part[2 * place.at + 1]!;
      }
    }
    const off = infinityNorm(product.map((value, i) => value - b[i]!));
    return off / (EPSILON * (infinityNorm(sums) * infinityNorm(x) + infinityNorm(b)) * layout.n);
  }
}
