import type { CompileOptions, Engine, HostArrays, Session } from '../engine/engine.js';
import type { Objective } from '../objectives/objective.js';
import { feedArrays, traceLoss, vectorArrays } from './step-program.js';

/** Of some samples: the sum of what their targets cost, and how many targets there are. */
export interface LossSum {
  /** In the objective's unit of loss, such as nats. */
  readonly sum: number;
  readonly weight: number;
}

/** The mean over several parts of an evaluation. */
export function meanLoss(parts: readonly LossSum[]): number {
  const total = (what: keyof LossSum) => parts.reduce((sum, part) => sum + part[what], 0);
  return total('sum') / total('weight');
}

/** Computes an objective's loss over samples, several at a time, without a gradient. */
export class Evaluator<Sample> {
  readonly #compiled = new Map<number, { readonly session: Session; readonly feeds: HostArrays }>();

  /**
   * @param batch samples in one run of the graph, at most
   * @param frozen the vector that the objective's `frozen` describes; not copied
   */
  constructor(
    private readonly objective: Objective<Sample>,
    private readonly engine: Engine,
    private readonly batch: number,
    private readonly compile: CompileOptions = {},
    private readonly frozen: Float32Array = new Float32Array(0),
  ) {}

  /** @param parameters the trained vector */
  async lossSum(parameters: Float32Array, samples: Iterable<Sample>): Promise<LossSum> {
    const { objective, engine } = this;
    const views = {
      ...vectorArrays(objective.layout, 'parameters', parameters, engine.views),
      ...vectorArrays(objective.frozen, 'frozen', this.frozen, engine.views),
    };
    let [sum, weight] = [0, 0];
    for (const batch of batchesOf(samples, this.batch)) {
      const { session, feeds } = await this.#sized(batch.length);
      weight += objective.fill(batch, feeds);
      const { loss } = await session.run({ ...views, ...feeds });
      sum += (loss![0] as number) * objective.unit(batch.length);
    }
    return { sum, weight };
  }

  async dispose(): Promise<void> {
    for (const { session } of this.#compiled.values()) await session.dispose();
    this.#compiled.clear();
  }

  async #sized(batch: number) {
    const known = this.#compiled.get(batch);
    if (known) return known;
    const session = await this.engine.compile(traceLoss(this.objective, batch, this.engine), this.compile);
    const made = { session, feeds: feedArrays(this.objective, batch) };
    this.#compiled.set(batch, made);
    return made;
  }
}

function* batchesOf<T>(samples: Iterable<T>, size: number): Generator<T[]> {
  let batch: T[] = [];
  for (const sample of samples) {
    batch.push(sample);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
