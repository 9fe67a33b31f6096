/*
 * An optimiser's moments as they are kept from one step to the next: in float32, or in fewer bits. What is kept in few bits is
 * widened, and its successor rounded, in the graph of the step itself: only a range of it is ever in float32.
 */
import { Random } from '../base/random.js';
import type { HostArrays } from '../engine/engine.js';
import {
  input,
  MOMENT_BLOCK,
  narrowBfloat16,
  narrowBlocks,
  reshape,
  type Shape,
  sizeOf,
  type Tensor,
  widenBfloat16,
  widenBlocks,
} from '../graph/index.js';
import type { MOMENTS_PRECISIONS } from './optimizers.js';
import type { Range } from './ranges.js';

/** In what moments are kept. */
export type MomentsPrecision = (typeof MOMENTS_PRECISIONS)[number];

/** How moments are kept in few bits; a run of float32 has no such options. */
export interface FewBitOptions {
  readonly precision: Exclude<MomentsPrecision, 'fp32'>;
  /** Of the chance by which they are rounded to bfloat16. */
  readonly seed: number;
}

/**
 * A moment in few bits: the bits of bfloat16; or codes of 8 bits, with a scale for each block of them. Blocks begin anew with each
 * part of the vector that the optimiser takes for itself.
 */
export type FewBits =
  | { readonly values: Uint16Array; readonly scales?: undefined }
  | { readonly values: Uint8Array; readonly scales: Float32Array };

/** A moment as it is kept. */
export type Moment = Float32Array | FewBits;

/** The moments' names. */
export type MomentName = 'moment1' | 'moment2';

export const isFewBits = (moment: Moment): moment is FewBits => !(moment instanceof Float32Array);

/** Its elements. */
export const lengthOf = (moment: Moment): number => (isFewBits(moment) ? moment.values : moment).length;

/** Bytes that an element takes. */
export function momentBytes(options: FewBitOptions | undefined): number {
  if (options === undefined) return Float32Array.BYTES_PER_ELEMENT;
  return options.precision === 'bf16' ? 2 : 1 + Float32Array.BYTES_PER_ELEMENT / MOMENT_BLOCK;
}

/** A moment of zeros. @param blocks of one that is kept in them; unless given, as many as one range has */
export function blankMoment(
  size: number,
  options: FewBitOptions | undefined,
  blocks: number = Math.ceil(size / MOMENT_BLOCK),
): Moment {
  if (options === undefined) return new Float32Array(size);
  if (options.precision === 'bf16') return { values: new Uint16Array(size) };
  return { values: new Uint8Array(size), scales: new Float32Array(blocks) };
}

/** The elements of a range, of a moment without blocks: a view. @param from where the moment begins, of a part alone */
export function cutMoment(moment: Moment, { start, end }: Range, from = 0): Moment {
  const [first, last] = [start - from, end - from];
  if (!isFewBits(moment)) return moment.subarray(first, last);
  if (moment.scales) throw new Error('blocks are cut where the optimiser cuts them');
  return { values: moment.values.subarray(first, last) };
}

/** How the parts of a vector that an optimiser takes one after another lie in a moment. */
export class MomentParts {
  /** The number of the first block, by the first element. */
  readonly #blocks = new Map<number, number>();
  readonly #from: number;
  readonly #size: number;
  readonly #count: number;

  /** @param ranges of the whole vector, or of a part of it, of which the moment is then */
  constructor(
    ranges: readonly Range[],
    private readonly options: FewBitOptions | undefined,
  ) {
    const inOrder = [...ranges].sort((a, b) => a.start - b.start);
    let [size, count] = [0, 0];
    for (const { start, end } of inOrder) {
      this.#blocks.set(start, count);
      count += Math.ceil((end - start) / MOMENT_BLOCK);
      size += end - start;
    }
    this.#from = inOrder[0]?.start ?? 0;
    this.#size = size;
    this.#count = count;
  }

  /** A moment of zeros. */
  blank(): Moment {
    return blankMoment(this.#size, this.options, this.#count);
  }

  /** One of the ranges: a view. */
  cut(moment: Moment, range: Range): Moment {
    if (!isFewBits(moment) || !moment.scales) return cutMoment(moment, range, this.#from);
    const { start, end } = range;
    const first = this.#blocks.get(start)!;
    const blocks = Math.ceil((end - start) / MOMENT_BLOCK);
    return {
      values: moment.values.subarray(start - this.#from, end - this.#from),
      scales: moment.scales.subarray(first, first + blocks),
    };
  }
}

/** A copy, in an earlier one's memory where that is given and fits. */
export function copyMoment(moment: Float32Array, reuse?: Moment): Float32Array;
export function copyMoment(moment: Moment, reuse?: Moment): Moment;
export function copyMoment(moment: Moment, reuse?: Moment): Moment {
  const [from, to] = [arraysOf(moment), reuse === undefined ? [] : arraysOf(reuse)];
  const fits = from.every((array, i) => to[i]?.constructor === array.constructor && to[i].length === array.length);
  if (!fits) {
    if (!isFewBits(moment)) return moment.slice();
    const { values, scales } = moment;
    return scales ? { values: values.slice(), scales: scales.slice() } : { values: values.slice() };
  }
  for (const [i, array] of from.entries()) to[i]!.set(array);
  return reuse!;
}

/** All that a moment is kept in. */
export function arraysOf(moment: Moment): (Float32Array | Uint16Array | Uint8Array)[] {
  if (!isFewBits(moment)) return [moment];
  return moment.scales ? [moment.values, moment.scales] : [moment.values];
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
  if (options.precision === 'int8') {
    const size = sizeOf(shape);
    // A mean of gradients has a sign, and one of their squares none.
    const signed = name === 'moment1';
    const scales = input(`${name}_scales`, [Math.ceil(size / MOMENT_BLOCK)]);
    return {
      before: reshape(widenBlocks(input(name, [size], 'uint8'), scales, signed), shape),
      kept: (after) => {
        const narrow = narrowBlocks(reshape(after, [size]), signed);
        return { [out]: narrow.codes, [`${name}_scales_out`]: narrow.scales };
      },
    };
  }
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
 * What graphs of {@link tracedMoment} are fed. The noise that rounds to bfloat16 is every number of 16 bits once, in an order of the seed;
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
    const { values, scales } = part;
    if (scales)
      return {
        feeds: { [name]: values, [`${name}_scales`]: scales },
        into: { [out]: values, [`${name}_scales_out`]: scales },
      };
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
