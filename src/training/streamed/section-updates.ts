import type { AdamwUpdate, StepNumbers, UpdateRange } from '../adamw.js';
import { updateRanges } from '../adamw.js';
import type { FewBitOptions } from '../moments.js';
import type { VectorName } from '../trained-vectors.js';
import { momentIn } from './moment-room.js';
import type { Section } from './sections.js';
import { giveBack, type SectionStore } from './store.js';

/** Ranges whose values are on their way while one is worked on: enough to hide a disk behind runs of half a millisecond. */
export const AHEAD = 4;
const OTHERS = ['gradient', 'moment1', 'moment2'] as const satisfies readonly VectorName[];

/** A section's update that has begun: its first values are on their way. */
export interface BegunUpdate {
  readonly section: number;
  readonly ranges: readonly UpdateRange[];
  /** By range: gradient and moments. */
  readonly loads: Promise<Float32Array[]>[];
}

/** AdamW's steps of sections whose parameters are in memory, and whose gradient and moments come and go range by range. */
export class SectionUpdates {
  /** @param moments how they are kept in few bits; in float32 where left out */
  constructor(
    private readonly store: SectionStore,
    private readonly sections: readonly Section[],
    private readonly adamw: AdamwUpdate,
    private readonly moments?: FewBitOptions,
  ) {}

  /** Has the first ranges brought. */
  begin(section: number): BegunUpdate {
    const ranges = [...updateRanges(this.sections[section]!, undefined, undefined, this.store.range)];
    const begun: BegunUpdate = { section, ranges, loads: [] };
    for (let i = 0; i < AHEAD; i++) this.#bring(begun);
    return begun;
  }

  /** Ends it: parameters in place, moments in the store. */
  async apply(begun: BegunUpdate, parameters: Float32Array, numbers: StepNumbers): Promise<void> {
    const { store } = this;
    const { section, ranges, loads } = begun;
    for (const [i, range] of ranges.entries()) {
      const [gradient, moment1, moment2] = (await loads[i]!) as [Float32Array, Float32Array, Float32Array];
      const part = parameters.subarray(range.start, range.end);
      const [first, second] = [moment1, moment2].map((words) => momentIn(words, part.length, this.moments));
      await this.adamw.run({ parameters: part, gradient, moment1: first!, moment2: second! }, range, numbers, section);
      store.release(gradient);
      // What goes wrong is told by the next settle.
      giveBack(store, moment1, store.save(moment1, section, 'moment1', range));
      giveBack(store, moment2, store.save(moment2, section, 'moment2', range));
      this.#bring(begun);
    }
  }

  async dispose(): Promise<void> {
    await this.adamw.dispose();
  }

  #bring({ section, ranges, loads }: BegunUpdate): void {
    const range = ranges[loads.length];
    if (!range) return;
    const load = Promise.all(OTHERS.map((name) => this.store.load(section, name, range)));
    // Who waits for it hears of a failure; until then nobody may.
    load.catch(() => {});
    loads.push(load);
  }
}
