/** A part of a sum of memory: how much, and what for. */
export type Term = readonly [bytes: number, what: string];

/** `1.5 GB`. */
export function gigabytes(bytes: number, digits = 1): string {
  return bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(digits)} GB`;
}
