/*
 * An optimiser's moments as they are kept from one step to the next: in float32, or in fewer bits. What is kept in few bits is
 * widened, and its successor rounded, in the graph of the step itself: only a range of it is ever in float32.
 */
import { Random } from '../base/random.js';
import type { HostArrays } from '../engine/engine.js';
import { input, narrowBfloat16, type Shape, type Tensor, widenBfloat16 } from '../graph/index.js';
import type { MOMENTS_PRECISIONS } from './optimizers.js';
import type { Range } from './ranges.js';

/** In what moments are kept. */
export type MomentsPrecision = (typeof MOMENTS_PRECISIONS)[number];

/** How moments are kept in few bits; a run of float32 has no such options. */
export interface FewBitOptions {
  readonly precision: Exclude<MomentsPrecision, 'fp32'>;
  /** Of the chance by which they are rounded. */
  readonly seed: number;
}

/** A moment in few bits: the bits of bfloat16. */
export interface FewBits {
  readonly values: Uint16Array;
}

/** A moment as it is kept. */
export type Moment = Float32Array | FewBits;

/** The moments' names. */
export type MomentName = 'moment1' | 'moment2';

export const isFewBits = (moment: Moment): moment is FewBits => !(moment instanceof Float32Array);

/** Its elements. */
export const lengthOf = (moment: Moment): number => (isFewBits(moment) ? moment.values : moment).length;

/** Bytes that an element takes. */
export const momentBytes = (options: FewBitOptions | undefined): number => (options === undefined ? 4 : 2);

/** A moment of zeros. */
export function blankMoment(size: number, options: FewBitOptions | undefined): Moment {
  return options === undefined ? new Float32Array(size) : { values: new Uint16Array(size) };
}

/** The elements of a range: a view. @param from where the moment begins, of a part alone */
export function cutMoment(moment: Moment, { start, end }: Range, from = 0): Moment {
  const [first, last] = [start - from, end - from];
  return isFewBits(moment) ? { values: moment.values.subarray(first, last) } : moment.subarray(first, last);
}

/** A copy, in an earlier one's memory where that is given and fits. */
export function copyMoment(moment: Float32Array, reuse?: Moment): Float32Array;
export function copyMoment(moment: Moment, reuse?: Moment): Moment;
export function copyMoment(moment: Moment, reuse?: Moment): Moment {
  if (reuse === undefined || isFewBits(reuse) !== isFewBits(moment) || lengthOf(reuse) !== lengthOf(moment))
    return isFewBits(moment) ? { values: moment.values.slice() } : moment.slice();
  const [from, to] = [moment, reuse].map((one) => (isFewBits(one) ? one.values : one));
  to!.set(from!);
  return reuse;
}

/** A moment in a graph. */
export interface TracedMoment {
  /** In float32. */
  readonly before: Tensor;
  /** The outputs that keep what it has become. */
  kept(after: Tensor): Record<string, Tensor>;
}

/** The inputs and outputs of a moment; {@link StepMoments.arrays} has what they are fed. */
export function tracedMoment(name: MomentName, shape: Shape, options: FewBitOptions | undefined): TracedMoment {
  const out = `${name}_out`;
  if (options === undefined) return { before: input(name, shape), kept: (after) => ({ [out]: after }) };
  const noise = input(`${name}_noise`, shape, 'uint16');
  return {
    before: widenBfloat16(input(name, shape, 'uint16')),
    kept: (after) => ({ [out]: narrowBfloat16(after, noise) }),
  };
}

/** Where in a run a part of a moment is rounded. */
export interface RoundingPlace {
  readonly step: number;
  /** Its first element. */
  readonly start: number;
  /** Of a model that is in sections. */
  readonly section?: number | undefined;
}

/** Numbers of 16 bits there are. */
const NUMBERS = 2 ** 16;

/**
 * What graphs of {@link tracedMoment} are fed. The noise that rounds is every number of 16 bits once, in an order of the seed;
 * a step reads them from a place drawn by chance, over and over. So an element is as likely to meet one as another, which makes
 * rounding right in the mean; and what it meets follows from seed, step and element alone: a run that is resumed, or cut into
 * other ranges, rounds alike.
 */
export class StepMoments {
  readonly #options: FewBitOptions | undefined;
  #noise: Uint16Array = new Uint16Array(0);

  constructor(options: FewBitOptions | undefined) {
    this.#options = options;
  }

  /** @param part of a moment; written in place */
  arrays(name: MomentName, part: Moment, place: RoundingPlace): { feeds: HostArrays; into: HostArrays } {
    const out = `${name}_out`;
    if (isFewBits(part) !== (this.#options !== undefined))
      throw new Error(
        `${name} is ${isFewBits(part) ? 'in few bits' : 'in float32'}, and the optimiser has it otherwise`,
      );
    if (!isFewBits(part)) return { feeds: { [name]: part }, into: { [out]: part } };
    const { values } = part;
    const noise = this.#noiseOf(name, values.length, place);
    return { feeds: { [name]: values, [`${name}_noise`]: noise }, into: { [out]: values } };
  }

  #noiseOf(name: MomentName, size: number, { step, start, section = 0 }: RoundingPlace): Uint16Array {
    const { seed } = this.#options!;
    const first = (new Random(seed, name, step, section).below(NUMBERS) + start) % NUMBERS;
    if (this.#noise.length < first + size) this.#noise = noiseOf(seed, NUMBERS + size);
    return this.#noise.subarray(first, first + size);
  }
}

function noiseOf(seed: number, length: number): Uint16Array {
  const random = new Random(seed, 'moments');
  const noise = new Uint16Array(length);
  for (let i = 0; i < NUMBERS; i++) noise[i] = i;
  for (let i = NUMBERS - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [noise[i], noise[j]] = [noise[j]!, noise[i]!];
  }
  for (let done = NUMBERS; done < length; done *= 2) noise.copyWithin(done, 0, Math.min(done, length - done));
  return noise;
}
