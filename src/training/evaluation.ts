import type { DeviceArray, Engine, HostArray, HostArrays, SessionOptions } from '../engine/engine.js';
import { Compiled } from '../engine/sessions.js';
import type { Program } from '../graph/index.js';
import type { FrozenValues } from '../model/base-storage.js';
import type { Objective, Score } from '../objectives/objective.js';
import { feedArrays, frozenArrays, traceLoss, traceScores, vectorArrays } from './step-program.js';

/** Of some samples: the sum of what their targets cost, and how many targets there are. */
export interface LossSum {
  /** In the objective's unit of loss, such as nats. */
  readonly sum: number;
  readonly weight: number;
  /** The sums of the other metrics, of an objective that tells them in training. */
  readonly others?: Readonly<Record<string, number>>;
}

/** The means of the other metrics over several parts of an evaluation. */
export function meansOfOthers(parts: readonly LossSum[]): Record<string, number> | undefined {
  const names = Object.keys(parts[0]?.others ?? {});
  if (names.length === 0) return undefined;
  const weight = parts.reduce((sum, part) => sum + part.weight, 0);
  const mean = (name: string) => parts.reduce((sum, part) => sum + (part.others?.[name] ?? 0), 0) / weight;
  return Object.fromEntries(names.map((name) => [name, mean(name)]));
}

/** The mean over several parts of an evaluation. */
export function meanLoss(parts: readonly LossSum[]): number {
  const total = (what: 'sum' | 'weight') => parts.reduce((sum, part) => sum + part[what], 0);
  return total('sum') / total('weight');
}

/** What a run is fed: of a device that keeps values, vectors are there for all runs of an evaluation. */
type Feeds = Readonly<Record<string, HostArray | DeviceArray>>;

/** A compiled graph, wherever its vectors are. */
interface Evaluation {
  run(feeds: Feeds): Promise<Readonly<Record<string, HostArray>>>;
  dispose(): Promise<void>;
}

/** Computes an objective's loss, or all of its metrics, over samples, several at a time, without a gradient. */
export class Evaluator<Sample> {
  /** By what is computed and the samples of a run. */
  readonly #sessions = new Compiled<Evaluation>();
  /** By the samples of a run. */
  readonly #feeds = new Map<number, Record<string, HostArray>>();

  /**
   * @param batch samples in one run of the graph, at most
   * @param frozen what the objective's `frozen` describes; not copied
   */
  constructor(
    private readonly objective: Objective<Sample>,
    private readonly engine: Engine,
    private readonly batch: number,
    private readonly compile: SessionOptions = {},
    private readonly frozen: FrozenValues = new Float32Array(0),
  ) {}

  /** @param parameters the trained vector */
  async lossSum(parameters: Float32Array, samples: Iterable<Sample>): Promise<LossSum> {
    const { objective } = this;
    let [sum, weight] = [0, 0];
    await this.#with(parameters, async (vectors) => {
      for (const batch of batchesOf(samples, this.batch)) {
        const { session, feeds } = await this.#sized('loss', batch.length);
        weight += objective.fill(batch, feeds);
        const { loss } = await session.run({ ...vectors, ...feeds });
        sum += (loss![0] as number) * objective.unit(batch.length);
      }
    });
    return { sum, weight };
  }

  /** The loss, and what else the objective tells in training. @param parameters the trained vector */
  async inTraining(parameters: Float32Array, samples: Iterable<Sample>): Promise<LossSum> {
    const { metrics, scoresInTraining } = this.objective;
    if (!scoresInTraining) return this.lossSum(parameters, samples);
    const { weight, sums } = await this.score(parameters, samples);
    const { [metrics[0].name]: sum = 0, ...others } = sums;
    return { sum, weight, others };
  }

  /**
   * Every metric of the objective.
   *
   * @param parameters the trained vector
   */
  async score(parameters: Float32Array, samples: Iterable<Sample>): Promise<Score> {
    const { objective } = this;
    const { scoring, metrics } = objective;
    if (!scoring) {
      const { sum, weight } = await this.lossSum(parameters, samples);
      return { weight, sums: { [metrics[0].name]: sum } };
    }
    const sums: Record<string, number> = Object.fromEntries(metrics.map(({ name }) => [name, 0]));
    let weight = 0;
    await this.#with(parameters, async (vectors) => {
      for (const batch of batchesOf(samples, this.batch)) {
        const { session, feeds } = await this.#sized('scores', batch.length);
        objective.fill(batch, feeds);
        const some = scoring.score(batch, feeds, await session.run({ ...vectors, ...feeds }));
        weight += some.weight;
        for (const name in sums) sums[name]! += some.sums[name]!;
      }
    });
    return { weight, sums };
  }

  async dispose(): Promise<void> {
    await this.#sessions.dispose();
  }

  /** Gives the vectors of an evaluation, which go to a device that keeps them once and leave it at the end. */
  async #with(parameters: Float32Array, evaluate: (vectors: Feeds) => Promise<void>): Promise<void> {
    const { objective, engine } = this;
    const vectors: HostArrays = {
      ...vectorArrays(objective.layout, 'parameters', parameters, engine.views),
      ...frozenArrays(objective as Objective<never>, this.frozen, engine.views),
    };
    const { memory } = engine;
    if (!memory) return evaluate(vectors);
    const kept: Record<string, DeviceArray> = {};
    try {
      // A base in few bits is many arrays, fed as they are; an empty vector is no input.
      for (const [name, array] of Object.entries(vectors))
        if ((array === parameters || array === this.frozen) && array.length > 0)
          kept[name] = await memory.upload(array);
      await evaluate({ ...vectors, ...kept });
    } finally {
      for (const array of Object.values(kept)) array.dispose();
    }
  }

  async #open(program: Program): Promise<Evaluation> {
    const { engine, compile } = this;
    if (!engine.memory) return engine.compile(program, compile);
    const session = await engine.memory.compile(program, [], compile);
    return { run: async (feeds) => (await session.run(feeds)).host, dispose: () => session.dispose() };
  }

  async #sized(what: 'loss' | 'scores', batch: number) {
    const { objective, engine } = this;
    const session = await this.#sessions.of(`${what} ${batch}`, () =>
      this.#open(
        what === 'loss'
          ? traceLoss(objective, batch, engine)
          : traceScores(objective, objective.scoring!, batch, engine),
      ),
    );
    let feeds = this.#feeds.get(batch);
    if (!feeds) {
      feeds = feedArrays(objective, batch);
      this.#feeds.set(batch, feeds);
    }
    return { session, feeds };
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
