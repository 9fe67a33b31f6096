import type { Engine, Session, SessionOptions } from '../engine/engine.js';
import { Sessions } from '../engine/sessions.js';
import { add, div, input, mul, scale, sqrt, sub, type Tensor } from '../graph/index.js';
import type { ParameterLayout } from '../model/layout.js';
import { type FewBitOptions, type Moment, MomentParts, StepMoments, tracedMoment } from './moments.js';
import { Muon, type MuonOptions, rangeOf } from './muon.js';
import { cutRanges, RANGE, type Range, without } from './ranges.js';
import type { RateRange } from './rate-ranges.js';
import { VectorNorm } from './vector-norm.js';

/** AdamW's constants (arXiv 1711.05101, algorithm 2), and the largest global norm of a gradient. */
export interface AdamwOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Applied to matrices only: the layout's first {@link ParameterLayout.decayed} elements. */
  readonly weightDecay: number;
  /** Gradients of a larger norm are scaled down to it; 0 for no limit. */
  readonly clip: number;
  /** Factors of the learning rate, from the vector's beginning to its end; left out, all learn at one rate. */
  readonly rateRanges?: readonly RateRange[] | undefined;
  /** Matrices that Muon trains instead, with the same clipping, decay and rate. */
  readonly muon?: MuonOptions | undefined;
  /** How the moments of both are kept in few bits; in float32 where left out. */
  readonly moments?: FewBitOptions | undefined;
}

/** A model's parameters and the moments of its gradient: vectors in the layout's order; moments perhaps of a part of it. */
export interface OptimizerVectors<M extends Moment = Float32Array> {
  readonly parameters: Float32Array;
  readonly gradient: Float32Array;
  /** Decaying mean of the gradient. */
  readonly moment1: M;
  /** Decaying mean of the squared gradient. */
  readonly moment2: M;
}

/** What a step did. */
export interface StepReport {
  /** Global L2 norm of the (scaled) gradient before clipping; not finite when the loss has diverged. */
  readonly gradientNorm: number;
  /** The step was left out, its gradient being too large for fp16: the next has a smaller scale. Its norm is told as 0. */
  readonly skipped?: true;
}

/** A range whose elements take their steps alike. */
export interface UpdateRange extends Range {
  readonly decayed: boolean;
  /** Of the learning rate. */
  readonly factor: number;
}

/**
 * AdamW over a model's vectors, in ranges: a small ONNX graph runs over one range after another, so the optimiser needs
 * no second copy of the model, and parts of it learn at rates of their own within the one pass. What Muon has it leaves to it.
 */
export class Adamw {
  readonly #options: AdamwOptions;
  readonly #ranges: readonly UpdateRange[];
  readonly #update: AdamwUpdate;
  readonly #norm: VectorNorm;
  readonly #muon: Muon | undefined;
  /** What it updates, and has moments of. */
  readonly part: Range;
  readonly #parts: MomentParts;

  private constructor(
    options: AdamwOptions,
    part: Range,
    ranges: readonly UpdateRange[],
    update: AdamwUpdate,
    norm: VectorNorm,
    muon: Muon | undefined,
  ) {
    this.#options = options;
    this.part = part;
    this.#ranges = ranges;
    this.#update = update;
    this.#norm = norm;
    this.#muon = muon;
    const matrices = (options.muon?.matrices ?? []).map(rangeOf).filter((matrix) => within(matrix, part));
    this.#parts = new MomentParts([...ranges, ...matrices], options.moments);
  }

  /**
   * @param part of the vectors that it updates, of which alone there are moments; left out, all. No matrix of Muon may lie
   * across its ends
   * @throws Error when the factors of rates, or the matrices of Muon, are not of such a vector
   */
  static async create(
    engine: Engine,
    layout: Pick<ParameterLayout, 'size' | 'decayed'>,
    options: AdamwOptions,
    compile: SessionOptions = {},
    part: Range = { start: 0, end: layout.size },
  ): Promise<Adamw> {
    const { rateRanges, muon: all, weightDecay, moments } = options;
    const length = RANGE * (compile.threads ?? 1);
    all?.matrices.reduce((end, matrix) => {
      const range = rangeOf(matrix);
      if (range.start < end || range.end > layout.decayed) throw new Error('matrices for Muon that the vector has not');
      return range.end;
    }, 0);
    const others = all && { ...all, matrices: all.matrices.filter((matrix) => within(rangeOf(matrix), part)) };
    const gaps = [
      { start: 0, end: part.start },
      ...(others?.matrices.map(rangeOf) ?? []),
      { start: part.end, end: layout.size },
    ];
    const ranges = [...updateRanges(layout, rateRanges, gaps, length)];
    const shared = { weightDecay, rateRanges, moments };
    const muon = others && (await Muon.create(engine, others, shared, compile));
    const update = new AdamwUpdate(engine, options, compile);
    for (const { start, end } of ranges) await update.prepare(end - start);
    return new Adamw(options, part, ranges, update, new VectorNorm(engine, compile), muon);
  }

  /** A moment of zeros, as it takes it. */
  blankMoment(): Moment {
    return this.#parts.blank();
  }

  /**
   * One step: clips the gradient by its global norm and updates parameters and moments in place. A gradient that is
   * not finite changes nothing; the report says so.
   *
   * @param step counted from 0, for the correction of the moments' bias
   * @param gradientScale what the gradient is multiplied by first, such as 1 / micro-batches
   * @param norm of the whole gradient before that, where not all of it is in `vectors`
   */
  async step(
    vectors: OptimizerVectors<Moment>,
    step: number,
    learningRate: number,
    gradientScale = 1,
    norm?: number,
  ): Promise<StepReport> {
    const { clip } = this.#options;
    const gradientNorm = gradientScale * (norm ?? (await this.#norm.norm(vectors.gradient)));
    if (!Number.isFinite(gradientNorm)) return { gradientNorm };
    const limited = limitedScale(gradientNorm, gradientScale, clip);
    for (const range of this.#ranges) {
      const part = (vector: Float32Array) => vector.subarray(range.start, range.end);
      const parts = {
        parameters: part(vectors.parameters),
        gradient: part(vectors.gradient),
        moment1: this.#parts.cut(vectors.moment1, range),
        moment2: this.#parts.cut(vectors.moment2, range),
      };
      await this.#update.run(parts, range, { step, learningRate, limited });
    }
    if (this.#muon) {
      const moment1 = (range: Range) => this.#parts.cut(vectors.moment1, range);
      await this.#muon.step({ ...vectors, moment1 }, step, limited, learningRate);
    }
    return { gradientNorm };
  }

  async dispose(): Promise<void> {
    await this.#update.dispose();
    await this.#norm.dispose();
    await this.#muon?.dispose();
  }
}

/** @throws Error where a range lies across the ends of a part */
function within({ start, end }: Range, part: Range): boolean {
  if (end <= part.start || start >= part.end) return false;
  if (start >= part.start && end <= part.end) return true;
  throw new Error(`a matrix of ${start} to ${end} lies across the ends of ${part.start} to ${part.end}`);
}

/** What a step is for all elements of a model. */
export interface StepNumbers {
  /** Counted from 0. */
  readonly step: number;
  readonly learningRate: number;
  /** What the gradient is multiplied by, its clipping included. */
  readonly limited: number;
}

/** A gradient's scale once its norm is limited. @param gradientNorm of the scaled gradient @param clip 0 for no limit */
export function limitedScale(gradientNorm: number, gradientScale: number, clip: number): number {
  return clip > 0 ? gradientScale * Math.min(1, clip / (gradientNorm + 1e-6)) : gradientScale;
}

/** What the update of an element depends on. */
type UpdateOptions = Pick<AdamwOptions, 'beta1' | 'beta2' | 'epsilon' | 'weightDecay' | 'moments'>;

/** AdamW of some elements at a time: a graph for each number of them. */
export class AdamwUpdate {
  readonly #options: UpdateOptions;
  readonly #sessions: Sessions;
  readonly #moments: StepMoments;

  constructor(engine: Engine, options: UpdateOptions, compile: SessionOptions = {}) {
    this.#options = options;
    this.#moments = new StepMoments(options.moments);
    this.#sessions = new Sessions(engine, compile);
  }

  /** Compiles the graph of so many elements. */
  async prepare(size: number): Promise<void> {
    await this.#session(size);
  }

  /**
   * One step of elements that are decayed or not, in place.
   *
   * @param section of a model that is in sections, whose ranges begin anew in each
   */
  async run(
    { parameters, gradient, moment1, moment2 }: OptimizerVectors<Moment>,
    { start, decayed, factor }: Pick<UpdateRange, 'start' | 'decayed' | 'factor'>,
    { step, learningRate, limited }: StepNumbers,
    section?: number,
  ): Promise<void> {
    const { beta1, beta2, epsilon, weightDecay } = this.#options;
    const correction1 = 1 - beta1 ** (step + 1);
    const correction2 = Math.sqrt(1 - beta2 ** (step + 1));
    const rate = learningRate * factor;
    const place = { step, start, section };
    const [first, second] = [
      this.#moments.arrays('moment1', moment1, place),
      this.#moments.arrays('moment2', moment2, place),
    ];
    const feeds = {
      share1: Float32Array.of((1 - beta1) * limited),
      share2: Float32Array.of((1 - beta2) * limited * limited),
      epsilon: Float32Array.of(epsilon * correction2),
      rate: Float32Array.of((rate * correction2) / correction1),
      keep: Float32Array.of(decayed ? 1 - rate * weightDecay : 1),
      ...{ parameters, gradient, ...first.feeds, ...second.feeds },
    };
    // In place: each of the three is read by one node, and its successor is computed from what that node gives.
    const into = { parameters_out: parameters, ...first.into, ...second.into };
    await (await this.#session(parameters.length)).run(feeds, into);
  }

  async dispose(): Promise<void> {
    await this.#sessions.dispose();
  }

  #session(size: number): Promise<Session> {
    return this.#sessions.get(`${size}`, () => traceUpdate(size, this.#options));
  }
}

/** Where the decay ends, where factors of the rate differ and at gaps a vector is cut, and each part into ranges of a length. */
export function* updateRanges(
  { size, decayed }: Pick<ParameterLayout, 'size' | 'decayed'>,
  rates: readonly RateRange[] = [{ elements: size, factor: 1 }],
  gaps: readonly Range[] = [],
  length: number = Number.POSITIVE_INFINITY,
): Generator<UpdateRange> {
  let from = 0;
  for (const { elements, factor } of rates) {
    const to = from + elements;
    const middle = Math.min(to, Math.max(from, decayed));
    const parts = [
      { start: from, end: middle, decayed: true },
      { start: middle, end: to, decayed: false },
    ];
    for (const part of parts) {
      for (const { start, end } of without(part, gaps)) {
        for (const range of cutRanges(start, end, length)) yield { ...range, decayed: part.decayed, factor };
      }
    }
    from = to;
  }
  if (from !== size) throw new Error(`learning rates of ${from} elements for a vector of ${size}`);
}

/** A step's scalars: what of the gradient goes into the moments, and how far the parameters go. */
type UpdateNumbers = Readonly<Record<'share1' | 'share2' | 'epsilon' | 'rate' | 'keep', Tensor>>;

/** The vectors after a step. */
export function tracedUpdate(
  before: Readonly<Record<keyof OptimizerVectors, Tensor>>,
  { share1, share2, epsilon, rate, keep }: UpdateNumbers,
  { beta1, beta2 }: Pick<AdamwOptions, 'beta1' | 'beta2'>,
) {
  const { gradient } = before;
  const moment1 = add(scale(before.moment1, beta1), mul(gradient, share1));
  const moment2 = add(scale(before.moment2, beta2), mul(mul(gradient, gradient), share2));
  const direction = div(moment1, add(sqrt(moment2), epsilon));
  const parameters = sub(mul(before.parameters, keep), mul(direction, rate));
  return { parameters, moment1, moment2 };
}

/** The update of `size` elements; its scalars change with the step, so they are fed. */
function traceUpdate(size: number, options: Pick<AdamwOptions, 'beta1' | 'beta2' | 'moments'>) {
  const vector = (name: string) => input(name, [size]);
  const number = (name: string) => input(name, []);
  const first = tracedMoment('moment1', [size], options.moments);
  const second = tracedMoment('moment2', [size], options.moments);
  const before = {
    parameters: vector('parameters'),
    gradient: vector('gradient'),
    moment1: first.before,
    moment2: second.before,
  };
  const numbers = {
    share1: number('share1'),
    share2: number('share2'),
    epsilon: number('epsilon'),
    rate: number('rate'),
    keep: number('keep'),
  };
  const { parameters, moment1, moment2 } = tracedUpdate(before, numbers, options);
  return { parameters_out: parameters, ...first.kept(moment1), ...second.kept(moment2) };
}
