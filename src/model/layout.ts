import type { Random } from '../base/random.js';
import { type Shape, sizeOf } from '../graph/index.js';

/**
 * How a parameter starts: samples of N(0, std²), of which with a cutoff none is farther from 0 than so many deviations, of
 * the interval from −bound to bound, or one value everywhere.
 */
export type Initialization =
  | { readonly normal: number; readonly cutoff?: number }
  | { readonly uniform: number }
  | { readonly fill: number };

/** A named parameter of a model. */
export interface ParameterSpec {
  /** The name in Hugging Face's model files. */
  readonly name: string;
  readonly shape: Shape;
  readonly initialization: Initialization;
}

/** A parameter and where it lies in the model's vector, in elements. */
export interface ParameterEntry extends ParameterSpec {
  readonly offset: number;
  readonly size: number;
}

/**
 * Describes a model's parameters as one flat vector: matrices first, then vectors, each group in the model's order.
 * The optimiser's decay covers exactly the first {@link decayed} elements; averaging, sharding, hashing and saving are
 * operations on ranges.
 */
export class ParameterLayout {
  readonly entries: readonly ParameterEntry[];
  /** Elements of the vector: the number of parameters. */
  readonly size: number;
  /** Elements of matrices, which weight decay applies to. */
  readonly decayed: number;

  constructor(specs: readonly ParameterSpec[]) {
    let offset = 0;
    const place = (spec: ParameterSpec): ParameterEntry => {
      const size = sizeOf(spec.shape);
      const entry = { ...spec, offset, size };
      offset += size;
      return entry;
    };
    const matrices = specs.filter(({ shape }) => shape.length > 1).map(place);
    this.decayed = offset;
    const vectors = specs.filter(({ shape }) => shape.length <= 1).map(place);
    this.size = offset;
    this.entries = [...matrices, ...vectors];
  }

  /** Views of a vector of {@link size} elements, by name; nothing is copied. */
  views(vector: Float32Array): Record<string, Float32Array> {
    if (vector.length !== this.size) throw new Error(`expected a vector of ${this.size}, got ${vector.length}`);
    return Object.fromEntries(this.entries.map((e) => [e.name, vector.subarray(e.offset, e.offset + e.size)]));
  }

  /** A new vector of values that are given by name. */
  fill(values: Readonly<Record<string, Float32Array>>): Float32Array {
    const vector = new Float32Array(this.size);
    for (const { name, offset } of this.entries) vector.set(values[name]!, offset);
    return vector;
  }

  /** A new vector of initial parameters: the same for the same generator. */
  initialize(random: Random): Float32Array {
    const vector = new Float32Array(this.size);
    for (const { offset, size, initialization } of this.entries)
      initialize(vector.subarray(offset, offset + size), initialization, random);
    return vector;
  }

  /** A vector's parameters, each a piece: views of its memory. */
  *pieces(vector: Float32Array): Generator<ParameterPiece> {
    for (const { name, offset, size } of this.entries)
      yield { name, from: 0, values: vector.subarray(offset, offset + size) };
  }

  /** What {@link initialize} gives, in pieces: each is in the same array, which the next one fills again. */
  *initialPieces(random: Random, most = 2 ** 20): Generator<ParameterPiece> {
    const array = new Float32Array(Math.min(most, Math.max(0, ...this.entries.map(({ size }) => size))));
    for (const { name, size, initialization } of this.entries)
      for (let from = 0; from < size; from += most) {
        const values = array.subarray(0, Math.min(most, size - from));
        initialize(values, initialization, random);
        yield { name, from, values };
      }
  }
}

/** Some elements of a parameter, one after the other. */
export interface ParameterPiece {
  readonly name: string;
  /** The first one's place in the parameter. */
  readonly from: number;
  readonly values: Float32Array;
}

function initialize(part: Float32Array, initialization: Initialization, random: Random): void {
  const size = part.length;
  if ('fill' in initialization) part.fill(initialization.fill);
  else if ('uniform' in initialization)
    for (let i = 0; i < size; i++) part[i] = (2 * random.uniform() - 1) * initialization.uniform;
  else for (let i = 0; i < size; i++) part[i] = cutNormal(random, initialization.cutoff) * initialization.normal;
}

/** A sample of N(0, 1); of those beyond the cutoff another is taken. */
function cutNormal(random: Random, cutoff = Number.POSITIVE_INFINITY): number {
  for (;;) {
    const sample = random.normal();
    if (Math.abs(sample) <= cutoff) return sample;
  }
}
