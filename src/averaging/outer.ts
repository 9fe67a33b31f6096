import type { Engine, Session, SessionOptions } from '../engine/engine.js';
import { Sessions } from '../engine/sessions.js';
import { addAll, input, mul, sub } from '../graph/index.js';
import { cutRanges, RANGE } from '../training/ranges.js';
import { type OuterOptions, outerStep } from './outer-step.js';

/**
 * Averages vectors of several replicas, and makes the outer optimiser's step, over one shard of the model. A small graph
 * runs over one range after another; sums run in the order of the replicas, so their bits do not depend on who is first.
 */
export class OuterOptimizer {
  readonly #size: number;
  readonly #replicas: number;
  readonly #options: OuterOptions;
  readonly #sessions: Sessions;
  readonly #scratch = new Float32Array(RANGE);
  readonly #momentumScratch = new Float32Array(RANGE);

  private constructor(size: number, replicas: number, options: OuterOptions, sessions: Sessions) {
    this.#size = size;
    this.#replicas = replicas;
    this.#options = options;
    this.#sessions = sessions;
  }

  /**
   * @param size elements of the shard
   * @param replicas how many vectors are averaged
   */
  static async create(
    engine: Engine,
    size: number,
    replicas: number,
    options: OuterOptions,
    compile: SessionOptions = {},
  ): Promise<OuterOptimizer> {
    const outer = new OuterOptimizer(size, replicas, options, new Sessions(engine, compile));
    for (const { start, end } of cutRanges(0, size)) {
      await outer.#mean(end - start);
      await outer.#step(end - start);
    }
    return outer;
  }

  /**
   * The weighted mean of the vectors, written into each of `into`, which may be the vectors themselves.
   *
   * @param weights one a vector, of sum 1
   */
  async mean(
    vectors: readonly Float32Array[],
    weights: readonly number[],
    into: readonly Float32Array[],
  ): Promise<void> {
    for (const { start, end } of cutRanges(0, this.#size)) {
      const mean = this.#scratch.subarray(0, end - start);
      await (await this.#mean(end - start)).run(feedsOf(vectors, weights, start, end), { mean });
      for (const target of into) target.set(mean, start);
    }
  }

  /**
   * The outer step. With g the weighted mean of `base` minus each replica's parameters, `average` gives base − g, and
   * `nesterov`, in the form of PyTorch's SGD, m ← μ·m + g and base − η·(g + μ·m).
   *
   * @param base the parameters that the round started from
   * @param momentum m, updated in place; `average` leaves it alone
   * @param vectors each replica's parameters
   * @param weights one a vector, of sum 1
   * @param into where the new parameters go; may be the vectors and `base` themselves
   */
  async step(
    base: Float32Array,
    momentum: Float32Array,
    vectors: readonly Float32Array[],
    weights: readonly number[],
    into: readonly Float32Array[],
  ): Promise<void> {
    for (const { start, end } of cutRanges(0, this.#size)) {
      const session = await this.#step(end - start);
      const feeds = { ...feedsOf(vectors, weights, start, end), base: base.subarray(start, end) };
      const parameters = this.#scratch.subarray(0, end - start);
      const moved = this.#momentumScratch.subarray(0, end - start);
      if (session.program.inputs.has('momentum')) {
        const all = { ...feeds, momentum: momentum.subarray(start, end) };
        await session.run(all, { parameters, momentum_out: moved });
        momentum.set(moved, start);
      } else {
        await session.run(feeds, { parameters });
      }
      for (const target of into) target.set(parameters, start);
    }
  }

  async dispose(): Promise<void> {
    await this.#sessions.dispose();
  }

  #mean(length: number): Promise<Session> {
    return this.#sessions.get(`mean ${length}`, () => {
      const terms = this.#inputs(length).map(({ vector, weight }) => mul(vector, weight));
      return { mean: addAll(terms) };
    });
  }

  #step(length: number): Promise<Session> {
    return this.#sessions.get(`step ${length}`, () => {
      const base = input('base', [length]);
      // Differences first: replicas that agree give exactly 0, however their weights are rounded.
      const terms = this.#inputs(length).map(({ vector, weight }) => mul(sub(base, vector), weight));
      return outerStep(base, addAll(terms), this.#options);
    });
  }

  #inputs(length: number) {
    return Array.from({ length: this.#replicas }, (_, i) => ({
      vector: input(`vector${i}`, [length]),
      weight: input(`weight${i}`, []),
    }));
  }
}

function feedsOf(vectors: readonly Float32Array[], weights: readonly number[], start: number, end: number) {
  return Object.fromEntries(
    vectors.flatMap((vector, i) => [
      [`vector${i}`, vector.subarray(start, end)],
      [`weight${i}`, Float32Array.of(weights[i]!)],
    ]),
  );
}
