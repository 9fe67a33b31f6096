import type { ParameterLayout } from '../../model/layout.js';
import type { RangedVector } from '../ranged-vector.js';
import { cutRanges, type Range } from '../ranges.js';
import type { Section } from './sections.js';
import type { SectionStore } from './store.js';

/** Elements that are asked of another vector at once. */
const PIECE = 2 ** 22;

/** Elements that lie one behind the other both in a model's vector and in a section. */
interface Piece extends Range {
  readonly section: number;
  /** Where it begins in the section. */
  readonly offset: number;
}

/**
 * The parameters of a store's sections as the vector that their layout has them in. A section that is read stays in
 * memory until another one is needed, or {@link close}.
 */
export class SectionVector implements Pick<RangedVector, 'length' | 'read'> {
  readonly length: number;
  /** In the order of the vector. */
  readonly #pieces: readonly Piece[];
  #open: { readonly section: number; readonly values: Float32Array } | undefined;
  #memory = new Float32Array(0);

  constructor(
    private readonly store: SectionStore,
    private readonly sections: readonly Section[],
    layout: Pick<ParameterLayout, 'entries' | 'size'>,
  ) {
    this.length = layout.size;
    const offsets = new Map(layout.entries.map(({ name, offset }) => [name, offset]));
    const pieces = sections.flatMap(({ entries }, section) =>
      entries.map(({ name, from, offset, size }): Piece => {
        const start = offsets.get(name)! + from;
        return { section, offset, start, end: start + size };
      }),
    );
    this.#pieces = pieces.sort((a, b) => a.start - b.start);
  }

  async read({ start, end }: Range): Promise<Float32Array> {
    if (this.#memory.length < end - start) this.#memory = new Float32Array(end - start);
    const values = this.#memory.subarray(0, end - start);
    for (const { from, to, piece } of this.#within({ start, end })) {
      const section = await this.#section(piece.section);
      values.set(section.subarray(piece.offset + from - piece.start, piece.offset + to - piece.start), from - start);
    }
    return values;
  }

  /** Makes all of it another vector's: each section is written once, as a whole. */
  async fill(from: RangedVector): Promise<void> {
    this.close();
    for (const [section, { size }] of this.sections.entries()) {
      if (size === 0) continue;
      const values = await this.store.blank(section, 'parameters');
      // Between matrices and vectors lie elements that are nobody's.
      values.fill(0);
      for (const piece of this.#pieces.filter((one) => one.section === section))
        for (const range of cutRanges(piece.start, piece.end, PIECE))
          values.set(await from.read(range), piece.offset + range.start - piece.start);
      await this.store.save(values, section, 'parameters');
      this.store.release(values);
    }
    await this.store.settle();
  }

  /** Gives back the section that is in memory. */
  close(): void {
    if (this.#open) this.store.release(this.#open.values);
    this.#open = undefined;
  }

  *#within({ start, end }: Range) {
    for (const piece of this.#pieces) {
      const [from, to] = [Math.max(start, piece.start), Math.min(end, piece.end)];
      if (from < to) yield { from, to, piece };
    }
  }

  async #section(section: number): Promise<Float32Array> {
    if (this.#open?.section !== section) {
      this.close();
      this.#open = { section, values: await this.store.load(section, 'parameters') };
    }
    return this.#open.values;
  }
}
