import type { StepNumbers } from '../adamw.js';
import type { VectorNorm } from '../vector-norm.js';
import type { SectionUpdates } from './section-updates.js';
import type { Section } from './sections.js';
import { giveBack, type SectionStore } from './store.js';
import { Visits } from './visits.js';

/** What a step makes of a section's gradient. */
export interface GradientPart {
  /** Whether it is added to what the same step made of it before, as of a table that both embeds and scores. */
  readonly again: boolean;
  /** Whether nothing will be added to it any more. */
  readonly whole: boolean;
}

/** How a step comes at a model's sections, wherever they are: parameters lent for a visit, gradients taken in, steps taken. */
export interface SectionAccess {
  /**
   * Goes through sections one after another.
   *
   * @param use works with a section's parameters, which it may not change; left out, they are only updated
   * @param pending a step that they still have to take, which comes first
   */
  through(
    sections: readonly number[],
    use: ((parameters: Float32Array, section: number) => Promise<void>) | undefined,
    pending?: StepNumbers,
  ): Promise<void>;
  /**
   * Takes in a section's gradient.
   *
   * @param make adds to an array of the section's size
   * @returns the sum of the squares of what is kept here of one that is whole; else 0
   */
  gradient(section: number, part: GradientPart, make: (gradient: Float32Array) => Promise<void>): Promise<number>;
  /** The sum of the squares of all gradients, of what is kept here and elsewhere. */
  squares(here: number): Promise<number>;
  /** Waits until all is kept that was to be. @throws what went wrong with it */
  settle(): Promise<void>;
  close(): Promise<void>;
}

/** Sections of a store that has all of them. */
export class StoredSections implements SectionAccess {
  readonly #visits: Visits;

  /** @param norm of the gradients; closed with it, as `updates` is */
  constructor(
    private readonly store: SectionStore,
    private readonly updates: SectionUpdates,
    private readonly norm: VectorNorm,
  ) {
    this.#visits = new Visits(store, updates);
  }

  through(...visit: Parameters<SectionAccess['through']>): Promise<void> {
    return this.#visits.through(...visit);
  }

  async gradient(
    section: number,
    { again, whole }: GradientPart,
    make: (gradient: Float32Array) => Promise<void>,
  ): Promise<number> {
    const { store } = this;
    const gradient = await (again ? store.load(section, 'gradient') : store.blank(section, 'gradient'));
    if (!again) gradient.fill(0);
    await make(gradient);
    const squares = whole ? await this.norm.squares(gradient) : 0;
    giveBack(store, gradient, store.save(gradient, section, 'gradient'));
    return squares;
  }

  async squares(here: number): Promise<number> {
    return here;
  }

  settle(): Promise<void> {
    return this.store.settle();
  }

  async close(): Promise<void> {
    await this.updates.dispose();
    await this.norm.dispose();
    await this.store.close();
  }
}

/** How sections are come at, of a model that has been cut into these. */
export type OpenSections = (sections: readonly Section[]) => SectionAccess | Promise<SectionAccess>;
