import type { CompileOptions, Engine, Session } from '../engine/engine.js';
import { encode, input, reduceSumSquare, sub } from '../graph/index.js';
import { cutRanges } from './ranges.js';

/** Euclidean norms of long vectors, range by range. Not finite where an element is NaN or infinite. */
export class VectorNorm {
  readonly #size: number;
  readonly #norms: ReadonlyMap<number, Session>;
  readonly #distances: ReadonlyMap<number, Session>;

  private constructor(size: number, norms: Map<number, Session>, distances: Map<number, Session>) {
    this.#size = size;
    this.#norms = norms;
    this.#distances = distances;
  }

  /** @param size elements of the vectors */
  static async create(engine: Engine, size: number, compile: CompileOptions = {}): Promise<VectorNorm> {
    const norms = new Map<number, Session>();
    const distances = new Map<number, Session>();
    for (const length of new Set([...cutRanges(0, size)].map(({ start, end }) => end - start))) {
      const [a, b] = [input('a', [length]), input('b', [length])];
      norms.set(length, await engine.compile(encode({ squares: reduceSumSquare(a, [0]) }, engine.target), compile));
      const squares = reduceSumSquare(sub(a, b), [0]);
      distances.set(length, await engine.compile(encode({ squares }, engine.target), compile));
    }
    return new VectorNorm(size, norms, distances);
  }

  /** ‖a‖ */
  async norm(a: Float32Array): Promise<number> {
    let sum = 0;
    for (const { start, end } of cutRanges(0, this.#size)) {
      const { squares } = await this.#norms.get(end - start)!.run({ a: a.subarray(start, end) });
      sum += squares![0] as number;
    }
    return Math.sqrt(sum);
  }

  /** ‖a − b‖ */
  async distance(a: Float32Array, b: Float32Array): Promise<number> {
    let sum = 0;
    for (const { start, end } of cutRanges(0, this.#size)) {
      const feeds = { a: a.subarray(start, end), b: b.subarray(start, end) };
      const { squares } = await this.#distances.get(end - start)!.run(feeds);
      sum += squares![0] as number;
    }
    return Math.sqrt(sum);
  }

  async dispose(): Promise<void> {
    for (const session of [...this.#norms.values(), ...this.#distances.values()]) await session.dispose();
  }
}
