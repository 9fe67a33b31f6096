import type { CompileOptions, Engine, Session } from '../engine/engine.js';
import { encode, input, reduceSumSquare, sub } from '../graph/index.js';
import { cutRanges, type Range } from './ranges.js';

/** Elements of a run: the same for any number of threads, since the order of sums decides their last bits. */
const LENGTH = 2 ** 20;

/** Euclidean norms of long vectors, range by range. Not finite where an element is NaN or infinite. */
export class VectorNorm {
  /** Sums of squares of `a`, or of `a` − `b`, by length. */
  readonly #norms = new Map<number, Session>();
  readonly #distances = new Map<number, Session>();

  /** @param size elements of the vectors */
  constructor(
    private readonly engine: Engine,
    private readonly size: number,
    private readonly compile: CompileOptions = {},
  ) {}

  /** ‖a‖ */
  norm(a: Float32Array): Promise<number> {
    return this.#root(this.#norms, ({ start, end }) => ({ a: a.subarray(start, end) }));
  }

  /** ‖a − b‖ */
  distance(a: Float32Array, b: Float32Array): Promise<number> {
    return this.#root(this.#distances, ({ start, end }) => ({ a: a.subarray(start, end), b: b.subarray(start, end) }));
  }

  async dispose(): Promise<void> {
    for (const session of [...this.#norms.values(), ...this.#distances.values()]) await session.dispose();
  }

  async #root(sessions: Map<number, Session>, feed: (range: Range) => Record<string, Float32Array>): Promise<number> {
    let sum = 0;
    for (const range of cutRanges(0, this.size, LENGTH)) {
      const feeds = feed(range);
      const length = range.end - range.start;
      let session = sessions.get(length);
      if (!session) {
        const a = input('a', [length]);
        const squares = reduceSumSquare('b' in feeds ? sub(a, input('b', [length])) : a, [0]);
        session = await this.engine.compile(encode({ squares }, this.engine.target), this.compile);
        sessions.set(length, session);
      }
      const { squares } = await session.run(feeds);
      sum += squares![0] as number;
    }
    return Math.sqrt(sum);
  }
}
