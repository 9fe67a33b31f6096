import type { Range } from './ranges.js';

/**
 * A vector that is read and written by ranges, wherever it lies. Who works on it has a range in memory at a time, so that the
 * same work is done on one that is in memory as a whole, without a copy, and on one that is on disk. One thing at a time: a read
 * or a write begins when the one before has ended.
 */
export interface RangedVector {
  /** Elements. */
  readonly length: number;
  /**
   * The values of a range, until the next read or write. It may be the vector itself that is given: who changes it has to
   * {@link write} it.
   */
  read(range: Range): Promise<Float32Array>;
  /** Sets the values from a place on; to give back what {@link read} gave of it costs no copy. */
  write(start: number, values: Float32Array): Promise<void>;
}

/** A vector in memory: what is read is the vector itself, and what was changed in it is written. */
export class MemoryVector implements RangedVector {
  constructor(readonly values: Float32Array) {}

  get length(): number {
    return this.values.length;
  }

  async read({ start, end }: Range): Promise<Float32Array> {
    return this.values.subarray(start, end);
  }

  async write(start: number, values: Float32Array): Promise<void> {
    const place = this.values.byteOffset + start * Float32Array.BYTES_PER_ELEMENT;
    if (values.buffer !== this.values.buffer || values.byteOffset !== place) this.values.set(values, start);
  }
}
