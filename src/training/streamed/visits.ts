import type { StepNumbers } from '../adamw.js';
import type { SectionUpdates } from './section-updates.js';
import { giveBack, type SectionStore } from './store.js';

/** Goes through sections one after another: while one is worked on, the next one's parameters are on their way. */
export class Visits {
  constructor(
    private readonly store: SectionStore,
    private readonly updates: SectionUpdates,
  ) {}

  /**
   * @param sections in the order of the visits
   * @param use works with a section's parameters, which it may not change; left out, they are only updated
   * @param pending a step that they still have to take, which comes first
   */
  async through(
    sections: readonly number[],
    use: ((parameters: Float32Array, section: number) => Promise<void>) | undefined,
    pending?: StepNumbers,
  ): Promise<void> {
    const { store, updates } = this;
    const begin = (section: number | undefined) => {
      if (section === undefined) return undefined;
      const parameters = store.load(section, 'parameters');
      // Who waits for it hears of a failure; until then nobody may.
      parameters.catch(() => {});
      return { parameters, update: pending && updates.begin(section) };
    };
    let next = begin(sections[0]);
    for (const [i, section] of sections.entries()) {
      const parameters = await next!.parameters;
      const { update } = next!;
      if (pending && update) await updates.apply(update, parameters, pending);
      next = begin(sections[i + 1]);
      const saved = pending ? store.save(parameters, section, 'parameters') : Promise.resolve();
      saved.catch(() => {});
      await use?.(parameters, section);
      giveBack(store, parameters, saved);
    }
  }
}
