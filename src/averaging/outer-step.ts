import type { Engine, SessionOptions } from '../engine/engine.js';
import { Sessions } from '../engine/sessions.js';
import { add, input, scale, sub, type Tensor } from '../graph/index.js';
import { cutRanges } from '../training/ranges.js';
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
 * The outer step from a pseudo-gradient that is averaged already. Every machine makes it on its own copy of the
 * parameters, so it consists of single IEEE operations on each element alone, which give the same bits everywhere.
 */
export class OuterStep {
  readonly #options: OuterOptions;
  readonly #sessions: Sessions;

  constructor(engine: Engine, options: OuterOptions, compile: SessionOptions = {}) {
    this.#options = options;
    this.#sessions = new Sessions(engine, compile);
  }

  /**
   * With g the averaged pseudo-gradient, `average` gives base − g, and `nesterov`, in the form of PyTorch's SGD,
   * m ← μ·m + g and base − η·(g + μ·m). All of one length, that of the vector or of any range of it.
   *
   * @param base the parameters that the round started from
   * @param momentum m, updated in place; `average` leaves it alone
   * @param gradient g; as it was decoded, since that is what all machines have
   * @param into where the new parameters go; may be `base` itself
   */
  async apply(base: Float32Array, momentum: Float32Array, gradient: Float32Array, into: Float32Array): Promise<void> {
    for (const { start, end } of cutRanges(0, base.length)) {
      const part = (vector: Float32Array) => vector.subarray(start, end);
      const session = await this.#sessions.get(`${end - start}`, () => {
        const gradient = input('gradient', [end - start]);
        return outerStep(input('base', [end - start]), gradient, this.#options);
      });
      const feeds = { base: part(base), gradient: part(gradient) };
      if (this.#options.method === 'average') {
        await session.run(feeds, { parameters: part(into) });
      } else {
        // In place: each is read by one node, and its successor is computed from what that node gives.
        const moved = part(momentum);
        await session.run({ ...feeds, momentum: moved }, { parameters: part(into), momentum_out: moved });
      }
    }
  }

  async dispose(): Promise<void> {
    await this.#sessions.dispose();
  }
}

/**
 * What an averaged pseudo-gradient makes of the parameters, and of the input `momentum` where there is one.
 *
 * @param base [n]
 * @param gradient [n]
 */
export function outerStep(base: Tensor, gradient: Tensor, options: OuterOptions): Record<string, Tensor> {
  if (options.method === 'average') return { parameters: sub(base, gradient) };
  const momentum = add(scale(input('momentum', base.shape), options.momentum), gradient);
  const direction = add(gradient, scale(momentum, options.momentum));
  return { parameters: sub(base, scale(direction, options.learningRate)), momentum_out: momentum };
}
