import type { TokenWindow } from './token-windows.js';

/** Rows of `context` + 1 tokens, one after the other, as windows. */
export function windowsOf(rows: Int32Array, context: number): TokenWindow[] {
  const length = context + 1;
  return Array.from({ length: rows.length / length }, (_, i) => ({
    ids: rows.slice(i * length, (i + 1) * length),
    number: ['test', i],
  }));
}
