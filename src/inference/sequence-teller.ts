import { othersTurn } from '../base/others-turn.js';
import type { FusedSequences } from './fused-sequences.js';
import type { Teller, WindowScore } from './text-evaluator.js';
import type { WindowRun } from './text-windows.js';

/** Tells tokens by the steps that generation takes, so what is measured is what writes. */
export class SequenceTeller implements Teller {
  readonly atOnce = 0;
  readonly unusable = 'Its weights are not usable in this precision: take another.';
  readonly #sequence: number;

  /** @param standIn what is read for a token that the model does not know */
  constructor(
    private readonly sequences: FusedSequences,
    private readonly standIn: number,
  ) {
    this.#sequence = sequences.open();
  }

  async tell(runs: readonly WindowRun[]): Promise<WindowScore> {
    const sums = { loss: 0, accuracy: 0 };
    let weight = 0;
    const readable = (id: number) => (id < 0 ? this.standIn : id);
    for (const { ids, known } of runs.flatMap(({ windows }) => windows)) {
      this.sequences.cut(this.#sequence, 0);
      for (let at = 0; at < ids.length - 1; ) {
        const [read, asked] = [ids.subarray(at, -1).map(readable), ids.subarray(at + 1)];
        const { taken, nats, right } = await this.sequences.tell(this.#sequence, read, asked.map(readable));
        for (let i = 0; i < taken; i++) {
          if (at + i < known || asked[i]! < 0) continue;
          weight++;
          sums.loss += nats[i]!;
          if (right[i]) sums.accuracy++;
        }
        at += taken;
        await othersTurn();
      }
    }
    return { weight, sums };
  }

  dispose(): Promise<void> {
    return this.sequences.dispose();
  }
}
