import type { Engine, HostArrays, Session, SessionOptions } from '../engine/engine.js';
import type { Program } from '../graph/index.js';
import type { FrozenValues } from '../model/base-storage.js';
import type { Objective } from '../objectives/objective.js';
import { Adamw, type AdamwOptions, type OptimizerVectors, type StepReport } from './adamw.js';
import { RoundingNoise } from './rounding-noise.js';
import {
  dropoutArrays,
  feedArrays,
  fillDropout,
  frozenArrays,
  type GradientOptions,
  teacherArrays,
  traceGradient,
  vectorArrays,
} from './step-program.js';

/** From this many parameters on memory is dearer than the last percent of speed: cheap activations are made twice. */
const LARGE_MODEL = 30e6;

/**
 * Whether a step makes cheap activations twice: `spare` where it may be left out for speed, as what is trained is so
 * small a part of the model that there are no large gradients and moments beside it. No bit of a result depends on it.
 */
export function recomputation({ layout, frozen, storage }: Objective<never>): 'yes' | 'spare' | 'no' {
  // What is kept in few bits would else be kept expanded from the forward to the backward pass.
  if (layout.size >= LARGE_MODEL || storage !== undefined) return 'yes';
  return layout.size + frozen.size >= LARGE_MODEL ? 'spare' : 'no';
}

/** The graph of a replica's micro-batch: loss and gradient. */
export function traceReplica(
  objective: Objective<never>,
  batch: number,
  gradientAccumulation: number,
  engine: Pick<Engine, 'target' | 'views'>,
  {
    recompute = recomputation(objective) !== 'no',
    ...options
  }: Omit<GradientOptions, 'accumulate' | 'recompute'> & { readonly recompute?: boolean | undefined } = {},
): Program {
  return traceGradient(objective, batch, engine, { accumulate: gradientAccumulation > 1, recompute, ...options });
}

/** What a replica trains and with what. */
export interface ReplicaOptions<Sample> {
  readonly objective: Objective<Sample>;
  /** What the objective's `frozen` describes; kept as it is, and not copied. */
  readonly frozen?: FrozenValues;
  /** The vector of the objective's teacher, where it has one; likewise. */
  readonly teacher?: Float32Array | undefined;
  readonly engine: Engine;
  /** Samples of a micro-batch. */
  readonly batch: number;
  /** Micro-batches whose gradients are averaged into one step, each by its weight. */
  readonly gradientAccumulation: number;
  readonly optimizer: AdamwOptions;
  /** The share of activations that a step drops, and the seed of which; none where left out. */
  readonly dropout?: { readonly rate: number; readonly seed: number } | undefined;
  /** Whether activations that are cheap to make are made twice. Default: as {@link recomputation} says, at a pinch yes. */
  readonly recompute?: boolean | undefined;
  /** Products of linear layers in 8 bits, rounded by the numbers of a seed; in float32 where left out. */
  readonly int8?: { readonly seed: number } | undefined;
  readonly compile?: SessionOptions;
}

/**
 * One copy of the model with its optimiser: parameters, gradient and moments as flat vectors, and the graphs that
 * update them. Knows nothing of other replicas.
 */
export class Replica<Sample = unknown> {
  #vectors: OptimizerVectors;
  readonly #options: ReplicaOptions<Sample>;
  readonly #gradient: Session;
  readonly #adamw: Adamw;
  readonly #feeds: HostArrays;
  readonly #frozen: HostArrays;
  readonly #dropped: Readonly<Record<string, Int32Array>>;
  readonly #noise: RoundingNoise;
  readonly #loss = new Float32Array(1);
  /** The sum before the last micro-batch; an output must not be its own input, so two buffers alternate. */
  readonly #sum: Float32Array | undefined;

  private constructor(options: ReplicaOptions<Sample>, gradient: Session, adamw: Adamw) {
    const { objective, engine, frozen = new Float32Array(0), teacher = new Float32Array(0) } = options;
    const { size } = objective.layout;
    this.#vectors = {
      parameters: new Float32Array(size),
      gradient: new Float32Array(size),
      moment1: new Float32Array(size),
      moment2: new Float32Array(size),
    };
    this.#options = options;
    this.#gradient = gradient;
    this.#adamw = adamw;
    this.#feeds = feedArrays(objective, options.batch);
    this.#dropped = dropoutArrays(gradient.program);
    this.#noise = new RoundingNoise(gradient.program, options.int8?.seed ?? 0);
    this.#frozen = {
      ...frozenArrays(objective as Objective<never>, frozen, engine.views),
      ...teacherArrays(objective as Objective<never>, teacher, engine.views),
    };
    if (options.gradientAccumulation > 1) this.#sum = new Float32Array(size);
  }

  static async create<Sample>(options: ReplicaOptions<Sample>): Promise<Replica<Sample>> {
    const {
      objective,
      engine,
      batch,
      gradientAccumulation,
      optimizer,
      dropout,
      recompute,
      int8,
      compile = {},
    } = options;
    const trace = { recompute, dropout: dropout?.rate, int8: int8 !== undefined };
    const program = traceReplica(objective, batch, gradientAccumulation, engine, trace);
    const gradient = await engine.compile(program, compile);
    const adamw = await Adamw.create(engine, objective.layout, optimizer, compile);
    return new Replica(options, gradient, adamw);
  }

  get vectors(): OptimizerVectors {
    return this.#vectors;
  }

  /** Makes these its own, so that what it starts from need not be in memory twice. Nobody else may use them any more. */
  adopt(vectors: Partial<OptimizerVectors>): void {
    const { size } = this.#options.objective.layout;
    for (const [name, { length }] of Object.entries(vectors)) {
      if (length !== size) throw new Error(`${name} has ${length} elements; the model has ${size}`);
    }
    this.#vectors = { ...this.#vectors, ...vectors };
  }

  /** Tokens that one step trains on. */
  get tokensPerStep(): number {
    const { objective, batch, gradientAccumulation } = this.#options;
    return batch * (objective.tokensPerSample ?? 1) * gradientAccumulation;
  }

  /** By what the gradient of a step of so much weight must be multiplied to be its mean over targets. */
  scaleOf(weight: number): number {
    const { objective, batch } = this.#options;
    return objective.unit(batch) / weight;
  }

  /**
   * The gradient of the losses of a step's micro-batches, summed into `vectors.gradient`: {@link scaleOf} its weight
   * makes it that of their mean.
   *
   * @param nextBatch gives the samples of a micro-batch
   * @param counter of the step, by which it follows what dropout drops: no other step of the run has the same
   * @returns the mean loss at the parameters before the step, and the weight of its targets
   */
  async computeGradient(
    nextBatch: () => readonly Sample[],
    counter: readonly number[] = [],
  ): Promise<{ loss: number; weight: number }> {
    const { objective, engine, batch, gradientAccumulation, dropout } = this.#options;
    const { layout } = objective;
    let [sum, gradient] = [this.#sum, this.vectors.gradient];
    // The last of an even number of swaps must end in `vectors.gradient`.
    if (sum && gradientAccumulation % 2 === 0) [sum, gradient] = [gradient, sum];
    sum?.fill(0);
    let [total, weight] = [0, 0];
    for (let i = 0; i < gradientAccumulation; i++) {
      weight += objective.fill(nextBatch(), this.#feeds);
      if (dropout) fillDropout(this.#dropped, dropout.seed, [...counter, i]);
      const feeds = {
        ...vectorArrays(layout, 'parameters', this.vectors.parameters, engine.views),
        ...this.#frozen,
        ...(sum && vectorArrays(layout, 'sum', sum, engine.views)),
        ...this.#feeds,
        ...this.#dropped,
        ...this.#noise.feeds([...counter, i]),
      };
      const into = { loss: this.#loss, ...vectorArrays(layout, 'gradient', gradient, engine.views) };
      await this.#gradient.run(feeds, into);
      total += this.#loss[0]! * objective.unit(batch);
      if (sum) [sum, gradient] = [gradient, sum];
    }
    return { loss: total / weight, weight };
  }

  /**
   * AdamW's step with `vectors.gradient`.
   *
   * @param step counted from 0
   * @param scale what the gradient is multiplied by first: {@link scaleOf} the weight of the step
   */
  applyGradient(step: number, learningRate: number, scale: number): Promise<StepReport> {
    return this.#adamw.step(this.vectors, step, learningRate, scale);
  }

  async dispose(): Promise<void> {
    await this.#gradient.dispose();
    await this.#adamw.dispose();
  }
}
