import { type Shape, sizeOf } from '../../src/graph/index.js';

/** A tensor of the reference implementations: float64, row-major. */
export interface Values {
  readonly shape: Shape;
  readonly data: Float64Array;
}

/** Values from a function of the index along each axis. */
export function fill(shape: Shape, f: (index: readonly number[]) => number): Values {
  const data = new Float64Array(sizeOf(shape));
  const index = shape.map(() => 0);
  for (let i = 0; i < data.length; i++) {
    data[i] = f(index);
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0;
  }
  return { shape, data };
}

/** The element at an index; axes of size 1 repeat, as do missing leading ones (NumPy's broadcasting). */
export function at({ shape, data }: Values, index: readonly number[]): number {
  const lead = index.length - shape.length;
  let offset = 0;
  for (let axis = 0; axis < shape.length; axis++) {
    offset = offset * shape[axis]! + (shape[axis] === 1 ? 0 : index[lead + axis]!);
  }
  return data[offset]!;
}

export const map = (x: Values, f: (value: number) => number): Values => ({ shape: x.shape, data: x.data.map(f) });

/** f of two operands, broadcast. */
export function zip(a: Values, b: Values, f: (a: number, b: number) => number): Values {
  const rank = Math.max(a.shape.length, b.shape.length);
  const size = (x: Values, axis: number) => x.shape[axis - rank + x.shape.length] ?? 1;
  const shape = Array.from({ length: rank }, (_, axis) => Math.max(size(a, axis), size(b, axis)));
  return fill(shape, (index) => f(at(a, index), at(b, index)));
}

export function transposed(x: Values, permutation: readonly number[]): Values {
  return fill(
    permutation.map((axis) => x.shape[axis]!),
    (index) => {
      const from: number[] = [];
      permutation.forEach((axis, i) => {
        from[axis] = index[i]!;
      });
      return at(x, from);
    },
  );
}

/** Combines the elements along axes. */
export function reduced(
  x: Values,
  axes: readonly number[],
  keep: boolean,
  f: (total: number, value: number) => number,
  start: number,
): Values {
  const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const result = fill(kept, () => start);
  fill(x.shape, (index) => {
    let offset = 0;
    kept.forEach((size, axis) => {
      offset = offset * size + (size === 1 ? 0 : index[axis]!);
    });
    result.data[offset] = f(result.data[offset]!, at(x, index));
    return 0;
  });
  return keep ? result : { shape: x.shape.filter((_, axis) => !axes.includes(axis)), data: result.data };
}

/** f applied to each row along the last axis. */
export function rows(x: Values, f: (row: readonly number[]) => number[]): Values {
  const width = x.shape.at(-1)!;
  const data = new Float64Array(x.data.length);
  for (let i = 0; i < data.length; i += width) data.set(f([...x.data.subarray(i, i + width)]), i);
  return { shape: x.shape, data };
}

/** exp(x) normalised to a sum of 1. */
export function softmaxRow(row: readonly number[]): number[] {
  const largest = Math.max(...row);
  const powers = row.map((value) => Math.exp(value - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((value) => value / sum);
}
