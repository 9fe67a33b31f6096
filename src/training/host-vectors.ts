import type { Engine, HostArrays, Session } from '../engine/engine.js';
import type { ParameterLayout } from '../model/layout.js';
import type { Adamw, OptimizerVectors, StepReport } from './adamw.js';
import { isFewBits, type Moment } from './moments.js';
import { vectorArrays } from './step-program.js';
import { checkVectors, type TrainedVectors } from './trained-vectors.js';

/** Vectors in this process's memory: fed as they lie at every run, and written in place. */
export class HostVectors implements TrainedVectors {
  #vectors: OptimizerVectors<Moment>;
  readonly #loss = new Float32Array(1);
  /** The sum before the last micro-batch; an output must not be its own input, so two buffers alternate. */
  readonly #sum: Float32Array | undefined;
  #places: { sum: Float32Array | undefined; gradient: Float32Array } | undefined;

  /**
   * @param gradient the program of a micro-batch, which takes the sum before it where `accumulates`
   * @param frozen what it is fed beside parameters and batch, always the same
   */
  constructor(
    private readonly engine: Pick<Engine, 'views'>,
    private readonly layout: ParameterLayout,
    private readonly gradient: Session,
    private readonly adamw: Adamw,
    private readonly frozen: HostArrays,
    accumulates: boolean,
  ) {
    const vector = () => new Float32Array(layout.size);
    const [moment1, moment2] = [adamw.blankMoment(), adamw.blankMoment()];
    this.#vectors = { parameters: vector(), gradient: vector(), moment1, moment2 };
    if (accumulates) this.#sum = vector();
  }

  /** Elements that have moments. */
  get #ofMoments(): number {
    const { start, end } = this.adamw.part;
    return end - start;
  }

  get vectors(): OptimizerVectors {
    const { parameters, gradient, moment1, moment2 } = this.#vectors;
    return { parameters, gradient, moment1: inFloat32(moment1), moment2: inFloat32(moment2) };
  }

  get moments(): OptimizerVectors<Moment> {
    return this.#vectors;
  }

  adopt(vectors: Partial<OptimizerVectors<Moment>>): void {
    checkVectors(this.layout.size, vectors, this.#ofMoments);
    this.#vectors = { ...this.#vectors, ...vectors };
  }

  async fetch(): Promise<OptimizerVectors> {
    return this.vectors;
  }

  changed(): void {}

  async accumulate(feeds: HostArrays, i: number, count: number): Promise<number> {
    if (i === 0) {
      const { gradient } = this.#vectors;
      // The last of an even number of swaps must end in the gradient.
      const swapped = this.#sum && count % 2 === 0;
      this.#places = swapped ? { sum: gradient, gradient: this.#sum! } : { sum: this.#sum, gradient };
      this.#places.sum?.fill(0);
    }
    const { views } = this.engine;
    const { sum, gradient } = this.#places!;
    const all = {
      ...vectorArrays(this.layout, 'parameters', this.#vectors.parameters, views),
      ...this.frozen,
      ...(sum && vectorArrays(this.layout, 'sum', sum, views)),
      ...feeds,
    };
    await this.gradient.run(all, { loss: this.#loss, ...vectorArrays(this.layout, 'gradient', gradient, views) });
    if (sum) this.#places = { sum: gradient, gradient: sum };
    return this.#loss[0]!;
  }

  apply(step: number, learningRate: number, scale: number, norm?: number): Promise<StepReport> {
    return this.adamw.step(this.#vectors, step, learningRate, scale, norm);
  }

  async dispose(): Promise<void> {
    await this.gradient.dispose();
    await this.adamw.dispose();
  }
}

const NONE = new Float32Array(0);

const inFloat32 = (moment: Moment): Float32Array => (isFewBits(moment) ? NONE : moment);
