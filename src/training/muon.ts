/*
 * Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon): the momentum of a matrix's gradient, with its singular
 * values brought near 1, so that directions which the gradient seldom has are learned as fast as the common ones.
 * Shape suffixes: R rows and S columns of a matrix; M the smaller of the two.
 */
import type { Engine, Session, SessionOptions } from '../engine/engine.js';
import { Sessions } from '../engine/sessions.js';
import { add, div, encode, gemm, input, mul, reduceSum, scale, shift, sqrt, sub, type Tensor } from '../graph/index.js';
import type { ParameterLayout } from '../model/layout.js';
import { type FewBitOptions, type Moment, StepMoments, tracedMoment } from './moments.js';
import type { Range } from './ranges.js';
import type { RateRange } from './rate-ranges.js';

/** A matrix in the trained vector. */
export interface MuonMatrix {
  /** Where it begins, in elements; its rows lie one after the other. */
  readonly start: number;
  readonly rows: number;
  readonly columns: number;
}

/** Muon's constants, and what it trains. */
export interface MuonOptions {
  /** Of the mean of gradients. */
  readonly momentum: number;
  /** In the vector's order, among its matrices; none overlap. All other elements are AdamW's. */
  readonly matrices: readonly MuonMatrix[];
}

/**
 * The matrices of a model's hidden layers that are trained, which Muon is for: embeddings and the head are tables, whose
 * rows are learned one by one.
 *
 * @param trained what is trained of the model
 * @param layers its linear layers, without the head
 */
export function muonMatrices(
  trained: Pick<ParameterLayout, 'entries'>,
  layers: readonly { readonly name: string }[],
): MuonMatrix[] {
  const names = new Set(layers.map(({ name }) => `${name}.weight`));
  return trained.entries
    .filter(({ name, shape }) => names.has(name) && shape.length === 2)
    .map(({ offset, shape }) => ({ start: offset, rows: shape[0]!, columns: shape[1]! }));
}

/** Bytes that the graphs of all shapes keep between two steps, at most. */
export function muonBytes(options: MuonOptions | undefined): number {
  const shapes = new Map(options?.matrices.map((matrix) => [shapeKey(matrix), matrix.rows * matrix.columns]));
  return [...shapes.values()].reduce((sum, elements) => sum + 4 * COPIES * elements, 0);
}

/** Of a matrix that a graph holds at once, at most. */
const COPIES = 6;

const shapeKey = ({ rows, columns }: MuonMatrix): string => `${rows} ${columns}`;

/**
 * Polynomials a x + b x³ + c x⁵ of the singular values, one after the other, which bring those from 0.005 to 1 within 0.5 to
 * 1.5: each is the best for the interval that the one before leaves (Polar Express, arXiv 2505.16932, theorem 3.1).
 */
const POLYNOMIALS = [
  [8.299, -24.43, 18.09],
  [3.915, -2.921, 0.559],
  [3.175, -2.38, 0.498],
] as const;
/** From so many times longer than wide on a matrix is gone through by its square: the products then cost less. */
const LONG = 1.5;
/** Of the norms that a matrix is divided by first; a matrix of zeros stays one. */
const EPSILON = 1e-7;
/** The root mean square of AdamW's updates, to which those of Muon are scaled: one rate suits both (arXiv 2502.16982, §2.2). */
const ADAMW_RMS = 0.2;

/** The elements of a matrix. */
export const rangeOf = ({ start, rows, columns }: MuonMatrix): Range => ({ start, end: start + rows * columns });

/** Vectors of which Muon's matrices are parts. */
interface MuonVectors {
  readonly parameters: Float32Array;
  readonly gradient: Float32Array;
  /** A matrix's part of it. */
  readonly moment1: (range: Range) => Moment;
}

/** What Muon has in common with the AdamW beside it. */
interface SharedOptions {
  readonly weightDecay: number;
  readonly rateRanges?: readonly RateRange[] | undefined;
  readonly moments?: FewBitOptions | undefined;
}

/** Muon over the matrices of a model's vectors: a graph for each shape. Only the first moment is used. */
export class Muon {
  readonly #options: MuonOptions;
  readonly #shared: SharedOptions;
  /** Of the learning rate, of each matrix. */
  readonly #factors: readonly number[];
  readonly #sessions: Sessions;
  readonly #moments: StepMoments;

  private constructor(options: MuonOptions, shared: SharedOptions, sessions: Sessions) {
    this.#options = options;
    this.#shared = shared;
    this.#factors = options.matrices.map(({ start }) => factorAt(start, shared.rateRanges));
    this.#sessions = sessions;
    this.#moments = new StepMoments(shared.moments);
  }

  static async create(
    engine: Engine,
    options: MuonOptions,
    shared: SharedOptions,
    compile: SessionOptions = {},
  ): Promise<Muon> {
    const muon = new Muon(options, shared, new Sessions(engine, compile));
    for (const matrix of options.matrices) await muon.#update(matrix);
    return muon;
  }

  /**
   * One step of all matrices, in place.
   *
   * @param step counted from 0
   * @param gradientScale what the gradient is multiplied by first, its clipping included
   */
  async step(
    { parameters, gradient, moment1 }: MuonVectors,
    step: number,
    gradientScale: number,
    learningRate: number,
  ): Promise<void> {
    const { momentum, matrices } = this.#options;
    const share = Float32Array.of((1 - momentum) * gradientScale);
    for (const [i, matrix] of matrices.entries()) {
      const { start, end } = rangeOf(matrix);
      const rate = learningRate * this.#factors[i]!;
      const p = parameters.subarray(start, end);
      const moment = this.#moments.arrays('moment1', moment1({ start, end }), { step, start });
      const feeds = {
        share,
        rate: Float32Array.of(rate * muonScale(matrix)),
        keep: Float32Array.of(1 - rate * this.#shared.weightDecay),
        ...{ parameters: p, gradient: gradient.subarray(start, end), ...moment.feeds },
      };
      // In place: each is read by one node, and its successor is computed from what that node gives.
      await (await this.#update(matrix)).run(feeds, { parameters_out: p, ...moment.into });
    }
  }

  async dispose(): Promise<void> {
    await this.#sessions.dispose();
  }

  #update(matrix: MuonMatrix): Promise<Session> {
    return this.#sessions.of(shapeKey(matrix), ({ target }) =>
      traceMuon(matrix, this.#options.momentum, target, this.#shared.moments),
    );
  }
}

/** What the learning rate is multiplied by for a matrix. */
export const muonScale = ({ rows, columns }: MuonMatrix): number => ADAMW_RMS * Math.sqrt(Math.max(rows, columns));

/** The factor of the rate at an element: a matrix is one parameter, so all of it has the same. */
export function factorAt(element: number, rates: readonly RateRange[] = []): number {
  let end = 0;
  return rates.find(({ elements }) => (end += elements) > element)?.factor ?? 1;
}

/** The program that updates a matrix; its scalars change with the step, so they are fed. */
export function traceMuon(
  { rows, columns }: Pick<MuonMatrix, 'rows' | 'columns'>,
  momentum: number,
  target: Engine['target'],
  moments?: FewBitOptions,
) {
  const matrix = (name: string) => input(name, [rows, columns]);
  const number = (name: string) => input(name, []);
  const moment = tracedMoment('moment1', [rows, columns], moments);
  const { parameters, moment1 } = tracedMuon(
    { parameters: matrix('parameters'), gradient: matrix('gradient'), moment1: moment.before },
    { share: number('share'), rate: number('rate'), keep: number('keep') },
    momentum,
  );
  return encode({ parameters_out: parameters, ...moment.kept(moment1) }, target);
}

/**
 * A matrix and its momentum after a step, all [R, S].
 *
 * @param numbers by which the gradient counts in the momentum, the rate times {@link muonScale}, and what decay keeps
 */
export function tracedMuon(
  { parameters, gradient, moment1 }: Readonly<Record<'parameters' | 'gradient' | 'moment1', Tensor>>,
  { share, rate, keep }: Readonly<Record<'share' | 'rate' | 'keep', Tensor>>,
  momentum: number,
): { parameters: Tensor; moment1: Tensor } {
  const gradient_RS = mul(gradient, share);
  const moment_RS = add(scale(moment1, momentum), gradient_RS);
  // Nesterov's: what the momentum will be after one more such gradient.
  const direction_RS = orthogonalized(add(gradient_RS, scale(moment_RS, momentum)));
  return { parameters: sub(mul(parameters, keep), mul(direction_RS, rate)), moment1: moment_RS };
}

/** U Vᵀ of a matrix U Σ Vᵀ, nearly. */
export function orthogonalized(x_RS: Tensor): Tensor {
  const [R, S] = x_RS.shape as [number, number];
  const tall = R > S;
  const squareOf = (y_RS: Tensor) => gemm(y_RS, y_RS, undefined, tall ? { transA: true } : { transB: true });
  /** (a I + odd) y, or y (a I + odd) of a tall one. */
  const times = (odd_MM: Tensor, y_RS: Tensor, a: number) =>
    tall ? gemm(y_RS, odd_MM, y_RS, { beta: a }) : gemm(odd_MM, y_RS, y_RS, { beta: a });

  const unit_RS = div(x_RS, normOf(x_RS));
  const square_MM = squareOf(unit_RS);
  // The root of the square's norm lies above the largest singular value, and nearer to it than the matrix's own norm.
  const size = normOf(square_MM);
  let y_RS = div(unit_RS, sqrt(size));
  let rest_MM = div(square_MM, size);
  if (Math.max(R, S) > LONG * Math.min(R, S)) {
    const [odd_MM, a] = composed(rest_MM);
    return times(odd_MM, y_RS, a);
  }
  for (const [i, [a, b, c]] of POLYNOMIALS.entries()) {
    if (i > 0) rest_MM = squareOf(y_RS);
    y_RS = times(gemm(rest_MM, rest_MM, rest_MM, { alpha: c, beta: b }), y_RS, a);
  }
  return y_RS;
}

/** The root of the sum of squares. */
const normOf = (x: Tensor): Tensor => shift(sqrt(reduceSum(mul(x, x), [0, 1])), EPSILON);

/** N and a of a I + N, by which a matrix of this square is to be multiplied for all of {@link POLYNOMIALS}. */
function composed(square_MM: Tensor): [Tensor, number] {
  let [rest_MM, all_MM, factor] = [square_MM, undefined as Tensor | undefined, 1];
  for (const [i, [a, b, c]] of POLYNOMIALS.entries()) {
    // This step multiplies by a I + odd.
    const odd_MM = gemm(rest_MM, rest_MM, rest_MM, { alpha: c, beta: b });
    all_MM = all_MM ? gemm(odd_MM, all_MM, add(scale(all_MM, a), scale(odd_MM, factor))) : odd_MM;
    factor *= a;
    if (i === POLYNOMIALS.length - 1) break;
    // All are polynomials of the square, so their order does not matter.
    const once_MM = gemm(odd_MM, rest_MM, rest_MM, { beta: a });
    rest_MM = gemm(odd_MM, once_MM, once_MM, { beta: a });
  }
  return [all_MM!, factor];
}
