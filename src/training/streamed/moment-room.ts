import { MOMENT_BLOCK } from '../../graph/index.js';
import { updateRanges } from '../adamw.js';
import type { FewBitOptions, Moment } from '../moments.js';
import type { Range } from '../ranges.js';
import type { VectorName } from '../trained-vectors.js';
import { inPages, type Section } from './sections.js';

/**
 * Where a section's moment lies in a store, in words of 4 bytes: element by element in float32; in few bits range by range, each
 * from a page on, as the step of a range reads and writes it.
 */
export class MomentRoom {
  /** Of all of it. */
  readonly words: number;
  readonly #places: ReadonlyMap<number, Range> | undefined;

  /** @param range elements of the ranges that it is asked for */
  constructor(section: Pick<Section, 'size' | 'decayed'>, range: number, moments: FewBitOptions | undefined) {
    this.words = section.size;
    if (!moments) return;
    const places = new Map<number, Range>();
    let at = 0;
    for (const { start, end } of updateRanges(section, undefined, undefined, range)) {
      const words = wordsOf(end - start, moments);
      places.set(start, { start: at, end: at + words });
      at += inPages(words);
    }
    this.words = at;
    this.#places = places;
  }

  /** The words of a range; of all where it is left out. */
  place(range?: Range): Range {
    if (!range) return { start: 0, end: this.words };
    return this.#places ? this.#places.get(range.start)! : range;
  }
}

export const isMoment = (vector: VectorName): boolean => vector === 'moment1' || vector === 'moment2';

function wordsOf(elements: number, { precision }: FewBitOptions): number {
  if (precision === 'bf16') return Math.ceil(elements / 2);
  return Math.ceil(elements / 4) + Math.ceil(elements / MOMENT_BLOCK);
}

/** A range's moment as it lies in words: a view. */
export function momentIn(words: Float32Array, elements: number, moments: FewBitOptions | undefined): Moment {
  if (!moments) return words;
  const { buffer, byteOffset } = words;
  if (moments.precision === 'bf16') return { values: new Uint16Array(buffer, byteOffset, elements) };
  const scales = words.subarray(Math.ceil(elements / 4));
  return { values: new Uint8Array(buffer, byteOffset, elements), scales };
}
