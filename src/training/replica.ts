import type { Engine, HostArrays, SessionOptions } from '../engine/engine.js';
import type { Program } from '../graph/index.js';
import type { FrozenValues } from '../model/base-storage.js';
import type { Objective } from '../objectives/objective.js';
import { Adamw, type AdamwOptions, type OptimizerVectors, type StepReport } from './adamw.js';
import { DeviceVectors } from './device-vectors.js';
import { HostVectors } from './host-vectors.js';
import { LossScale, type LossScaleState } from './loss-scale.js';
import type { Moment, MomentName } from './moments.js';
import type { HalfPrecision } from './precision-names.js';
import type { Range } from './ranges.js';
import { RoundingNoise } from './rounding-noise.js';
import {
  dropoutArrays,
  feedArrays,
  fillDropout,
  frozenArrays,
  type GradientOptions,
  LOSS_SCALE,
  teacherArrays,
  traceGradient,
} from './step-program.js';
import type { TrainedVectors, VectorName } from './trained-vectors.js';

/** From this many parameters on memory is dearer than the last percents of speed: cheap activations are made twice. */
const LARGE_MODEL = 30e6;

/**
 * Whether a step makes cheap activations twice. No bit of a result depends on it.
 *
 * Measured on SmolLM2-135M with an adapter, 4 windows of 512 tokens: 8 % of the time of a step for 57 % of its memory.
 */
export function recomputation({ layout, frozen, storage }: Objective<never>): boolean {
  // What is kept in few bits would else be kept expanded from the forward to the backward pass.
  return layout.size + frozen.size >= LARGE_MODEL || storage !== undefined;
}

/** The graph of a replica's micro-batch: loss and gradient. */
export function traceReplica(
  objective: Objective<never>,
  batch: number,
  gradientAccumulation: number,
  engine: Pick<Engine, 'target' | 'views'>,
  {
    recompute = recomputation(objective),
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
  /** Whether activations that are cheap to make are made twice. Default: as {@link recomputation} says. */
  readonly recompute?: boolean | undefined;
  /** Products of linear layers in 8 bits, rounded by the numbers of a seed; in float32 where left out. */
  readonly int8?: { readonly seed: number } | undefined;
  /** Products of matrices in so many bits, on an engine that has them; the vectors stay float32. */
  readonly half?: HalfPrecision | undefined;
  /** What of the vectors its optimiser updates, and alone has moments of; all where left out. Of vectors in this process. */
  readonly part?: Range | undefined;
  readonly compile?: SessionOptions;
}

/**
 * One copy of the model with its optimiser: parameters, gradient and moments as flat vectors, and the graphs that
 * update them. Knows nothing of other replicas. Its vectors stay on the engine's device where that can keep them.
 */
export class Replica<Sample = unknown> {
  readonly #options: ReplicaOptions<Sample>;
  readonly #state: TrainedVectors;
  readonly #feeds: HostArrays;
  readonly #dropped: Readonly<Record<string, Int32Array>>;
  readonly #noise: RoundingNoise;
  /** Of products in fp16 alone. */
  readonly #lossScale: LossScale | undefined;

  private constructor(options: ReplicaOptions<Sample>, state: TrainedVectors, gradient: Program) {
    this.#options = options;
    this.#state = state;
    this.#feeds = feedArrays(options.objective, options.batch);
    this.#dropped = dropoutArrays(gradient);
    this.#noise = new RoundingNoise(gradient, options.int8?.seed ?? 0);
    if (options.half === 'fp16') this.#lossScale = new LossScale();
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
      part,
      compile = {},
    } = options;
    const { frozen: given = new Float32Array(0), teacher = new Float32Array(0) } = options;
    const { layout } = objective;
    const trace = { recompute, dropout: dropout?.rate, int8: int8 !== undefined, half: options.half };
    const frozen = {
      ...frozenArrays(objective as Objective<never>, given, engine.views),
      ...teacherArrays(objective as Objective<never>, teacher, engine.views),
    };
    const { memory } = engine;
    if (memory) {
      if (part) throw new Error('a part of moments on a device');
      const gradient = traceReplica(objective, batch, 1, engine, trace);
      const setup = { memory, layout, gradient, optimizer, frozen, compile };
      return new Replica(options, await DeviceVectors.create(setup), gradient);
    }
    const program = traceReplica(objective, batch, gradientAccumulation, engine, trace);
    const gradient = await engine.compile(program, compile);
    const adamw = await Adamw.create(engine, layout, optimizer, compile, part);
    const state = new HostVectors(engine, layout, gradient, adamw, frozen, gradientAccumulation > 1);
    return new Replica(options, state, program);
  }

  /**
   * The vectors in this process. Steps need not have reached them yet: {@link fetch} brings them up to date; and who writes
   * into them tells so by {@link changed}.
   */
  get vectors(): OptimizerVectors {
    return this.#state.vectors;
  }

  /** The moments as they are kept: those of {@link vectors}, or in few bits, where `vectors` has none. */
  get moments(): Readonly<Record<MomentName, Moment>> {
    return this.#state.moments;
  }

  /** Makes these its own, so that what it starts from need not be in memory twice. Nobody else may use them any more. */
  adopt(vectors: Partial<OptimizerVectors<Moment>>): void {
    this.#state.adopt(vectors);
  }

  /** {@link vectors}, those of these names as the last step left them. */
  fetch(...names: readonly VectorName[]): Promise<OptimizerVectors> {
    return this.#state.fetch(names);
  }

  /** The next step starts from what the caller has written into {@link vectors} of these names. */
  changed(...names: readonly VectorName[]): void {
    this.#state.changed(names);
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
   * The gradient of the losses of a step's micro-batches, summed: {@link scaleOf} its weight makes it that of their mean.
   *
   * @param nextBatch gives the samples of a micro-batch
   * @param counter of the step, by which it follows what dropout drops: no other step of the run has the same
   * @returns the mean loss at the parameters before the step, and the weight of its targets
   */
  async computeGradient(
    nextBatch: () => readonly Sample[],
    counter: readonly number[] = [],
  ): Promise<{ loss: number; weight: number }> {
    const { objective, batch, gradientAccumulation, dropout } = this.#options;
    let [total, weight] = [0, 0];
    for (let i = 0; i < gradientAccumulation; i++) {
      weight += objective.fill(nextBatch(), this.#feeds);
      if (dropout) fillDropout(this.#dropped, dropout.seed, [...counter, i]);
      const feeds = {
        ...this.#feeds,
        ...this.#dropped,
        ...this.#noise.feeds([...counter, i]),
        ...(this.#lossScale && { [LOSS_SCALE]: Float32Array.of(this.#lossScale.state.scale) }),
      };
      total += (await this.#state.accumulate(feeds, i, gradientAccumulation)) * objective.unit(batch);
    }
    return { loss: total / weight, weight };
  }

  /**
   * AdamW's step with the gradient.
   *
   * @param step counted from 0
   * @param scale what the gradient is multiplied by first: {@link scaleOf} the weight of the step
   * @param norm of the whole gradient before that, where it is updated in parts
   */
  async applyGradient(step: number, learningRate: number, scale: number, norm?: number): Promise<StepReport> {
    const report = await this.#state.apply(step, learningRate, scale, norm);
    const skipped = this.#lossScale?.next(Number.isFinite(report.gradientNorm));
    return skipped ? { gradientNorm: 0, skipped } : report;
  }

  /** Where the scale of the loss stands, of a replica that has one; a checkpoint keeps it. */
  get lossScale(): LossScaleState | undefined {
    return this.#lossScale?.state;
  }

  /** Goes on with the scale of a checkpoint. */
  restoreLossScale(state: LossScaleState): void {
    this.#lossScale?.restore(state);
  }

  async dispose(): Promise<void> {
    await this.#state.dispose();
  }
}
