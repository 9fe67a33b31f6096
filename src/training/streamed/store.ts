import type { FewBitOptions } from '../moments.js';
import { RANGE, type Range } from '../ranges.js';
import type { VectorName } from '../trained-vectors.js';
import { isMoment, MomentRoom } from './moment-room.js';
import type { Section } from './sections.js';

/**
 * Where a model's sections are while nobody works on them: parameters, gradient and moments of each. What is lent is the
 * borrower's until it is given back; of one vector of a section only one borrower at a time writes.
 */
export interface SectionStore {
  /** Elements of the ranges that gradients and moments are asked for. */
  readonly range: number;
  /**
   * A section's values, or those of a range of it, as the last {@link save} left them; zeros before the first. Of moments in few
   * bits it is words of 4 bytes, as {@link MomentRoom} has them.
   */
  load(section: number, vector: VectorName, range?: Range): Promise<Float32Array>;
  /** A place for them, whose content is undefined. */
  blank(section: number, vector: VectorName, range?: Range): Promise<Float32Array>;
  /**
   * Begins to keep what is in an array of {@link load} or {@link blank}; a later load waits for it. The array must not
   * change until the promise resolves.
   *
   * @throws MeanfieldError (through the promise, and through whatever is asked for next) where it cannot be kept
   */
  save(array: Float32Array, section: number, vector: VectorName, range?: Range): Promise<void>;
  /** Gives an array back; what was not saved is lost. */
  release(array: Float32Array): void;
  /** Waits until all is kept that was to be saved. @throws what went wrong with it */
  settle(): Promise<void>;
  close(): Promise<void>;
}

/** Releases an array once it is saved. That it could not be is told by whatever the store is asked for next. */
export function giveBack(store: SectionStore, array: Float32Array, saved: Promise<void>): void {
  const release = () => store.release(array);
  void saved.then(release, release);
}

/** Sections in this process's memory: lent as they lie, so that to save is nothing. */
export class MemoryStore implements SectionStore {
  readonly #vectors: readonly Partial<Record<VectorName, Float32Array>>[];
  readonly #rooms: readonly MomentRoom[];

  constructor(
    private readonly sections: readonly Section[],
    moments?: FewBitOptions,
    readonly range: number = RANGE,
  ) {
    this.#vectors = sections.map(() => ({}));
    this.#rooms = sections.map((section) => new MomentRoom(section, range, moments));
  }

  async load(section: number, vector: VectorName, range?: Range): Promise<Float32Array> {
    const of = this.#vectors[section]!;
    const room = isMoment(vector) ? this.#rooms[section]! : undefined;
    of[vector] ??= new Float32Array(room?.words ?? this.sections[section]!.size);
    const { start, end } = room ? room.place(range) : (range ?? { start: 0, end: of[vector].length });
    return of[vector].subarray(start, end);
  }

  blank(section: number, vector: VectorName, range?: Range): Promise<Float32Array> {
    return this.load(section, vector, range);
  }

  async save(): Promise<void> {}

  release(): void {}

  async settle(): Promise<void> {}

  async close(): Promise<void> {}
}
