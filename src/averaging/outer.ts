import type { CompileOptions, Engine, Session } from '../engine/engine.js';
import { add, addAll, encode, input, mul, type Program, scale, sub } from '../graph/index.js';
import { cutRanges, RANGE } from '../training/ranges.js';
import type { OuterMethod } from './choices.js';

/** How the parameters of a round are made of its replicas'. */
export interface OuterOptions {
  /** `average` takes the mean; `nesterov` moves along it with momentum, as DiLoCo does (arXiv 2311.08105). */
  readonly method: OuterMethod;
  /** Of `nesterov` alone. */
  readonly learningRate: number;
  /** Of `nesterov` alone. */
  readonly momentum: number;
}

/**
 * Averages vectors of several replicas, and makes the outer optimiser's step, over one shard of the model. A small graph
 * runs over one range after another; sums run in the order of the replicas, so their bits do not depend on who is first.
 */
export class OuterOptimizer {
  readonly #size: number;
  readonly #means: ReadonlyMap<number, Session>;
  readonly #steps: ReadonlyMap<number, Session>;
  readonly #scratch = new Float32Array(RANGE);
  readonly #momentumScratch = new Float32Array(RANGE);

  private constructor(size: number, means: Map<number, Session>, steps: Map<number, Session>) {
    this.#size = size;
    this.#means = means;
    this.#steps = steps;
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
    compile: CompileOptions = {},
  ): Promise<OuterOptimizer> {
    const means = new Map<number, Session>();
    const steps = new Map<number, Session>();
    for (const length of new Set([...cutRanges(0, size)].map(({ start, end }) => end - start))) {
      means.set(length, await engine.compile(traceMean(length, replicas, engine), compile));
      steps.set(length, await engine.compile(traceStep(length, replicas, options, engine), compile));
    }
    return new OuterOptimizer(size, means, steps);
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
      await this.#means.get(end - start)!.run(feedsOf(vectors, weights, start, end), { mean });
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
      const session = this.#steps.get(end - start)!;
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
    for (const session of [...this.#means.values(), ...this.#steps.values()]) await session.dispose();
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

function traceMean(length: number, replicas: number, engine: Engine): Program {
  const terms = Array.from({ length: replicas }, (_, i) => mul(input(`vector${i}`, [length]), input(`weight${i}`, [])));
  return encode({ mean: addAll(terms) }, engine.target);
}

function traceStep(length: number, replicas: number, options: OuterOptions, engine: Engine): Program {
  const base = input('base', [length]);
  // Differences first: replicas that agree give exactly 0, however their weights are rounded.
  const terms = Array.from({ length: replicas }, (_, i) =>
    mul(sub(base, input(`vector${i}`, [length])), input(`weight${i}`, [])),
  );
  const gradient = addAll(terms);
  if (options.method === 'average') return encode({ parameters: sub(base, gradient) }, engine.target);
  const momentum = add(scale(input('momentum', [length]), options.momentum), gradient);
  const direction = add(gradient, scale(momentum, options.momentum));
  const parameters = sub(base, scale(direction, options.learningRate));
  return encode({ parameters, momentum_out: momentum }, engine.target);
}
