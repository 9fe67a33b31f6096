import type { CompileOptions, Engine, Session } from '../engine/engine.js';
import type { Program } from '../graph/index.js';
import type { Model } from '../model/model.js';
import { Adamw, type AdamwOptions, type OptimizerVectors, type StepReport } from './adamw.js';
import { type MicroBatch, traceGradient, vectorArrays } from './step-program.js';
import { fillTokens } from './tokens.js';

/** From this many parameters on memory is dearer than the last percent of speed: cheap activations are made twice. */
const LARGE_MODEL = 30e6;

/** The graph of a replica's micro-batch: loss and gradient. */
export function traceReplica(
  model: Model,
  microBatch: MicroBatch,
  gradientAccumulation: number,
  engine: Pick<Engine, 'target' | 'views'>,
): Program {
  const recompute = model.layout.size >= LARGE_MODEL;
  return traceGradient(model, microBatch, engine, { accumulate: gradientAccumulation > 1, recompute });
}

/** What a replica trains and with what. */
export interface ReplicaOptions {
  readonly model: Model;
  readonly engine: Engine;
  readonly microBatch: MicroBatch;
  /** Micro-batches whose gradients are averaged into one step. */
  readonly gradientAccumulation: number;
  readonly optimizer: AdamwOptions;
  readonly compile?: CompileOptions;
}

/**
 * One copy of the model with its optimiser: parameters, gradient and moments as flat vectors, and the graphs that
 * update them. Knows nothing of other replicas.
 */
export class Replica {
  #vectors: OptimizerVectors;
  readonly #options: ReplicaOptions;
  readonly #gradient: Session;
  readonly #adamw: Adamw;
  readonly #ids: BigInt64Array;
  readonly #targets: BigInt64Array;
  readonly #loss = new Float32Array(1);
  /** The sum before the last micro-batch; an output must not be its own input, so two buffers alternate. */
  readonly #sum: Float32Array | undefined;

  private constructor(options: ReplicaOptions, gradient: Session, adamw: Adamw) {
    const { size } = options.model.layout;
    const { batch, length } = options.microBatch;
    this.#vectors = {
      parameters: new Float32Array(size),
      gradient: new Float32Array(size),
      moment1: new Float32Array(size),
      moment2: new Float32Array(size),
    };
    this.#options = options;
    this.#gradient = gradient;
    this.#adamw = adamw;
    this.#ids = new BigInt64Array(batch * length);
    this.#targets = new BigInt64Array(batch * length);
    if (options.gradientAccumulation > 1) this.#sum = new Float32Array(size);
  }

  static async create(options: ReplicaOptions): Promise<Replica> {
    const { model, engine, microBatch, gradientAccumulation, optimizer, compile = {} } = options;
    const gradient = await engine.compile(traceReplica(model, microBatch, gradientAccumulation, engine), compile);
    const adamw = await Adamw.create(engine, model.layout, optimizer, compile);
    return new Replica(options, gradient, adamw);
  }

  get vectors(): OptimizerVectors {
    return this.#vectors;
  }

  /** Makes these its own, so that what it starts from need not be in memory twice. Nobody else may use them any more. */
  adopt(vectors: Partial<OptimizerVectors>): void {
    const { size } = this.#options.model.layout;
    for (const [name, { length }] of Object.entries(vectors)) {
      if (length !== size) throw new Error(`${name} has ${length} elements; the model has ${size}`);
    }
    this.#vectors = { ...this.#vectors, ...vectors };
  }

  /** Tokens that one step trains on. */
  get tokensPerStep(): number {
    const { microBatch, gradientAccumulation } = this.#options;
    return microBatch.batch * microBatch.length * gradientAccumulation;
  }

  /**
   * The gradient of the loss over a step's micro-batches, summed into `vectors.gradient`.
   *
   * @param nextBatch gives a micro-batch as rows of `length` + 1 token ids
   * @returns the mean loss in nats per token, at the parameters before the step
   */
  async computeGradient(nextBatch: () => Int32Array): Promise<number> {
    const { model, engine, microBatch, gradientAccumulation } = this.#options;
    const { layout } = model;
    let [sum, gradient] = [this.#sum, this.vectors.gradient];
    // The last of an even number of swaps must end in `vectors.gradient`.
    if (sum && gradientAccumulation % 2 === 0) [sum, gradient] = [gradient, sum];
    sum?.fill(0);
    let loss = 0;
    for (let i = 0; i < gradientAccumulation; i++) {
      fillTokens(nextBatch(), microBatch, this.#ids, this.#targets);
      const feeds = {
        ...vectorArrays(layout, 'parameters', this.vectors.parameters, engine.views),
        ...(sum && vectorArrays(layout, 'sum', sum, engine.views)),
        ids: this.#ids,
        targets: this.#targets,
      };
      const into = { loss: this.#loss, ...vectorArrays(layout, 'gradient', gradient, engine.views) };
      await this.#gradient.run(feeds, into);
      loss += this.#loss[0]! / gradientAccumulation;
      if (sum) [sum, gradient] = [gradient, sum];
    }
    return loss;
  }

  /**
   * AdamW's step with `vectors.gradient`.
   *
   * @param step counted from 0
   */
  applyGradient(step: number, learningRate: number): Promise<StepReport> {
    return this.#adamw.step(this.vectors, step, learningRate, 1 / this.#options.gradientAccumulation);
  }

  async dispose(): Promise<void> {
    await this.#gradient.dispose();
    await this.#adamw.dispose();
  }
}
