import type { Engine, SessionOptions } from '../engine/engine.js';
import { Sessions } from '../engine/sessions.js';
import { add, input, mul } from '../graph/index.js';
import { cutRanges } from '../training/ranges.js';

/** Weighted sums of two vectors, range by range: differences and mixtures. */
export class VectorSum {
  readonly #sessions: Sessions;

  constructor(engine: Engine, compile: SessionOptions = {}) {
    this.#sessions = new Sessions(engine, compile);
  }

  /** into ← a·x + b·y; the three may be one. Each operation is a single IEEE one, so machines agree to the bit. */
  async sum(a: number, x: Float32Array, b: number, y: Float32Array, into: Float32Array): Promise<void> {
    const weights = { a: Float32Array.of(a), b: Float32Array.of(b) };
    for (const { start, end } of cutRanges(0, x.length)) {
      const length = end - start;
      const session = await this.#sessions.get(`${length}`, () => traceSum(length));
      const feeds = { ...weights, x: x.subarray(start, end), y: y.subarray(start, end) };
      // Both products are made before the sum is written, so it may be written over either.
      await session.run(feeds, { sum: into.subarray(start, end) });
    }
  }

  async dispose(): Promise<void> {
    await this.#sessions.dispose();
  }
}

function traceSum(length: number) {
  const [x, y] = [input('x', [length]), input('y', [length])];
  return { sum: add(mul(x, input('a', [])), mul(y, input('b', []))) };
}
