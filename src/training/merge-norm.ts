import type { CompileOptions, Engine } from '../engine/engine.js';
import { input, reduceSumSquare } from '../graph/index.js';
import { cutRanges } from './ranges.js';
import { Sessions } from './sessions.js';

/** Elements of one run; the order of sums decides their last bits, so it is fixed. */
const LENGTH = 2 ** 18;

/**
 * How many times the norm that was told a contribution may have: rounding to 4 bits with error feedback sends what
 * earlier rounds lost, at most about as much again.
 */
const TOLERANCE = 2;

/** Sums of squares of ranges of any length, such as the shards of a contribution. */
export class RangeNorm {
  readonly #sessions: Sessions;

  constructor(engine: Engine, compile: CompileOptions = {}) {
    this.#sessions = new Sessions(engine, compile);
  }

  /** Σ x²; those of a vector's shards add up to its squared norm. Infinite or NaN where an element is, or overflows. */
  async squares(range: Float32Array): Promise<number> {
    let sum = 0;
    for (const { start, end } of cutRanges(0, range.length, LENGTH)) {
      const length = end - start;
      const session = await this.#sessions.get(`${length}`, () => ({
        squares: reduceSumSquare(input('x', [length]), [0]),
      }));
      const { squares } = await session.run({ x: range.subarray(start, end) });
      sum += squares![0] as number;
    }
    return sum;
  }

  async dispose(): Promise<void> {
    await this.#sessions.dispose();
  }
}

/**
 * Whether what came of a contribution cannot be of the norm that its sender told, by which outliers are found. A part
 * has at most the norm of the whole, so every reducer can tell from its shard alone.
 *
 * @param norm what the sender told
 * @param squares of the elements that came: of all, or of some
 */
export function exceedsNorm(norm: number, squares: number): boolean {
  return !(squares <= (TOLERANCE * norm) ** 2);
}
