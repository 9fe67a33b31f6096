import type { TokenWindow } from '../../data/sampling/token-windows.js';
import { Causal } from '../../objectives/causal/causal.js';
import type { Objective } from '../../objectives/objective.js';
import type { Teller, WindowScore } from '../text-evaluator.js';
import type { WindowRun } from '../text-windows.js';
import type { StreamedScorer } from './scorer.js';

/** Tells tokens layer by layer, for as many windows at once as a visit of a layer takes. */
export class StreamedTeller implements Teller {
  readonly unusable =
    'Its weights are not usable, or belong to another configuration: take an earlier checkpoint or another copy.';
  /** By the length of their windows. */
  readonly #objectives = new Map<number, Objective<never>>();

  /** @param standIn the id that is read where a window has no token of the vocabulary */
  constructor(
    private readonly scorer: StreamedScorer,
    private readonly model: ConstructorParameters<typeof Causal>[0],
    private readonly standIn: number,
  ) {}

  get atOnce(): number {
    return this.scorer.atOnce;
  }

  async tell(runs: readonly WindowRun[], signal?: AbortSignal): Promise<WindowScore> {
    const jobs = runs.map(({ length, windows }) => ({
      key: `${length}`,
      objective: this.#objective(length),
      samples: windows.map((window, i): TokenWindow => ({ ...window, number: ['evaluation', i] })) as never[],
    }));
    const sums = { loss: 0, accuracy: 0 };
    let weight = 0;
    for (const score of await this.scorer.score(jobs, signal)) {
      weight += score.weight;
      sums.loss += score.sums.loss!;
      sums.accuracy += score.sums.accuracy!;
    }
    return { weight, sums };
  }

  dispose(): Promise<void> {
    return this.scorer.dispose();
  }

  #objective(length: number): Objective<never> {
    let objective = this.#objectives.get(length);
    if (!objective) {
      objective = new Causal(this.model, length, this.standIn) as unknown as Objective<never>;
      this.#objectives.set(length, objective);
    }
    return objective;
  }
}
