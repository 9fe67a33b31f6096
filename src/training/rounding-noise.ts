import { Random } from '../base/random.js';
import type { HostArrays } from '../engine/engine.js';
import { type Program, sizeOf } from '../graph/index.js';
import { NOISE } from './step-program.js';

/** Places at which the numbers may begin: so many, that each element of an input meets numbers of all sizes. */
const PLACES = 2 ** 16;

/**
 * Random numbers by which a program of `traceGradient` rounds up or down. They are made once and then read from a place
 * drawn by chance for each input and each micro-batch: each number is as likely as another for each element, which is what
 * makes rounding right in the mean, and nothing is made or copied in a step.
 */
export class RoundingNoise {
  readonly #inputs: readonly { readonly name: string; readonly size: number }[];
  readonly #numbers: Float32Array;

  /** @param seed of the run */
  constructor(
    { inputs }: Pick<Program, 'inputs'>,
    private readonly seed: number,
  ) {
    this.#inputs = [...inputs]
      .filter(([name]) => name.startsWith(NOISE))
      .map(([name, { shape }]) => ({ name, size: sizeOf(shape) }));
    const most = Math.max(0, ...this.#inputs.map(({ size }) => size));
    const random = new Random(seed, 'rounding');
    this.#numbers = new Float32Array(most === 0 ? 0 : most + PLACES).map(() => random.uniform() - 0.5);
  }

  /**
   * What the inputs are fed. It follows from the counter alone, as that of dropout does: a run that is resumed rounds as it
   * would have rounded.
   *
   * @param counter of the micro-batch: no other of the run has the same
   */
  feeds(counter: readonly number[]): HostArrays {
    const random = new Random(this.seed, 'rounding', ...counter);
    return Object.fromEntries(
      this.#inputs.map(({ name, size }) => {
        const place = random.below(PLACES);
        return [name, this.#numbers.subarray(place, place + size)];
      }),
    );
  }
}
