import type { Engine, SessionOptions } from '../engine/engine.js';
import { Sessions } from '../engine/sessions.js';
import { input, reduceSumSquare, sub } from '../graph/index.js';
import { cutRanges } from './ranges.js';

/** Elements of a run: the same for any number of threads, since the order of sums decides their last bits. */
const LENGTH = 2 ** 20;

/** Euclidean norms of long vectors, range by range. Not finite where an element is NaN or infinite. */
export class VectorNorm {
  readonly #sessions: Sessions;
  readonly #length: number;

  /** @param options.length elements of a run, by which the last bits of a sum are decided */
  constructor(engine: Engine, { length = LENGTH, ...compile }: SessionOptions & { readonly length?: number } = {}) {
    this.#sessions = new Sessions(engine, compile);
    this.#length = length;
  }

  /** ‖a‖ */
  async norm(a: Float32Array): Promise<number> {
    return Math.sqrt(await this.squares(a));
  }

  /** ‖a − b‖ */
  async distance(a: Float32Array, b: Float32Array): Promise<number> {
    return Math.sqrt(await this.squares(a, b));
  }

  /** Σ a², or Σ (a − b)²; those of a vector's parts add up to that of the whole. Infinite where it overflows. */
  async squares(a: Float32Array, b?: Float32Array): Promise<number> {
    let sum = 0;
    for (const { start, end } of cutRanges(0, a.length, this.#length)) {
      const length = end - start;
      const session = await this.#sessions.get(`${length}${b ? ' less b' : ''}`, () => {
        const x = input('a', [length]);
        return { squares: reduceSumSquare(b ? sub(x, input('b', [length])) : x, [0]) };
      });
      const feeds = { a: a.subarray(start, end), ...(b && { b: b.subarray(start, end) }) };
      const { squares } = await session.run(feeds);
      sum += squares![0] as number;
    }
    return sum;
  }

  async dispose(): Promise<void> {
    await this.#sessions.dispose();
  }
}
