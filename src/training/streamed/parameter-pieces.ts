import type { ParameterPiece } from '../../model/layout.js';
import type { VectorName } from '../trained-vectors.js';
import type { Section, SectionEntry } from './sections.js';
import type { SectionStore } from './store.js';

/** Which sections have parts of each parameter, by its name, from its beginning on. */
function partsByName(sections: readonly Section[]): Map<string, { section: number; entry: SectionEntry }[]> {
  const parts = new Map<string, { section: number; entry: SectionEntry }[]>();
  for (const [section, { entries }] of sections.entries())
    for (const entry of entries) parts.set(entry.name, [...(parts.get(entry.name) ?? []), { section, entry }]);
  for (const of of parts.values()) of.sort((a, b) => a.entry.from - b.entry.from);
  return parts;
}

/** Where {@link setParameters} and {@link ParameterReader} find sections. */
export type PieceStore = Pick<SectionStore, 'load' | 'save' | 'release' | 'settle'>;

/**
 * Sets parameters from pieces. Pieces of one section that follow each other cost one visit, as they do in a layout's order.
 *
 * @param vector the parameters themselves, or what else is as long as they are
 * @throws Error for a parameter that no section has
 */
export async function setParameters(
  store: PieceStore,
  sections: readonly Section[],
  pieces: Iterable<ParameterPiece> | AsyncIterable<ParameterPiece>,
  vector: VectorName = 'parameters',
): Promise<void> {
  const parts = partsByName(sections);
  let open: { readonly section: number; readonly values: Float32Array } | undefined;
  const close = async () => {
    if (!open) return;
    await store.save(open.values, open.section, vector);
    store.release(open.values);
    open = undefined;
  };
  for await (const { name, from, values } of pieces) {
    const own = parts.get(name);
    if (!own) throw new Error(`no section has ${name}`);
    for (const { section, entry } of own) {
      const [start, end] = [Math.max(from, entry.from), Math.min(from + values.length, entry.from + entry.size)];
      if (start >= end) continue;
      if (open?.section !== section) {
        await close();
        open = { section, values: await store.load(section, vector) };
      }
      open.values.set(values.subarray(start - from, end - from), entry.offset + start - entry.from);
    }
  }
  await close();
  await store.settle();
}

/** Reads parameters; those of one section that are read after each other cost one visit. */
export class ParameterReader {
  readonly #parts: ReturnType<typeof partsByName>;
  #open: { readonly section: number; readonly values: Float32Array } | undefined;

  constructor(
    private readonly store: PieceStore,
    sections: readonly Section[],
    private readonly vector: VectorName = 'parameters',
  ) {
    this.#parts = partsByName(sections);
  }

  /** A parameter's values, a section's part after the other; each array is good until the next is asked for. */
  async *values(name: string): AsyncGenerator<Float32Array> {
    for (const { section, entry } of this.#parts.get(name) ?? []) {
      if (this.#open?.section !== section) {
        this.close();
        this.#open = { section, values: await this.store.load(section, this.vector) };
      }
      yield this.#open.values.subarray(entry.offset, entry.offset + entry.size);
    }
  }

  /** After the last. */
  close(): void {
    if (this.#open) this.store.release(this.#open.values);
    this.#open = undefined;
  }
}
