import type { Cells } from '../catalogue/csv.js';

/**
 * The number that a cell starts with: `400 (4x OPA100)` is 400, `3200?` is 3200, `1 (2)` is 1; nothing where there is
 * none or no finite one (`OOM`, `n/a`, `>1`, `?`).
 */
export function leadingNumber(cell: string): number | undefined {
  const found = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?/i.exec(cell.trim());
  if (!found) return undefined;
  const value = Number(found[0]);
  return Number.isFinite(value) ? value : undefined;
}

/** Reads a row's cells and collects what was assumed for those that say nothing. */
export class Fields {
  readonly assumptions: string[] = [];

  constructor(private readonly cells: Cells) {}

  text(column: string): string {
    return this.cells.get(column) ?? '';
  }

  /** A positive number, if the cell starts with one. */
  number(column: string): number | undefined {
    const value = leadingNumber(this.text(column));
    return value !== undefined && value > 0 ? value : undefined;
  }

  /** A whole number of 1 and more, if the cell starts with one (a fraction is rounded). */
  count(column: string, largest = 1e9): number | undefined {
    const value = this.number(column);
    return value === undefined || value > largest ? undefined : Math.max(1, Math.round(value));
  }

  /** Notes an assumption, and gives its value. */
  assume<T>(what: string, value: T): T {
    this.assumptions.push(`${what} ${String(value)}`);
    return value;
  }

  /** The cell's count, or a default that is noted. */
  countOr(column: string, otherwise: number, what = column): number {
    return this.count(column) ?? this.assume(what, otherwise);
  }
}
