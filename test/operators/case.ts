import fc from 'fast-check';
import { Random } from '../../src/base/random.js';
import { type DType, type Shape, sizeOf, type Tensor } from '../../src/graph/index.js';
import type { Values } from './values.js';

/** Draws what a test case leaves open. */
export class Draw {
  readonly #g: fc.GeneratorValue;
  readonly #random: Random;

  constructor(g: fc.GeneratorValue) {
    this.#g = g;
    this.#random = new Random(g(fc.nat));
  }

  /** A size of an axis; small, and often 1. */
  size(max = 4): number {
    return this.#g(fc.integer, { min: 1, max });
  }

  /** A shape of up to `rank` axes, at times none. */
  shape(rank = 3, least = 0): Shape {
    const length = this.#g(fc.integer, { min: least, max: rank });
    return Array.from({ length }, () => this.size());
  }

  /** A shape that broadcasts with `shape`: some axes 1, some leading ones left out. */
  broadcastable(shape: Shape): Shape {
    const from = this.#g(fc.integer, { min: 0, max: shape.length });
    return shape.slice(from).map((size) => (this.bool() ? size : 1));
  }

  bool(): boolean {
    return this.#g(fc.boolean);
  }

  pick<T>(...choices: readonly T[]): T {
    return choices[this.#g(fc.nat, { max: choices.length - 1 })]!;
  }

  permutation(rank: number): number[] {
    return this.#g(fc.shuffledSubarray, [...Array(rank).keys()], { minLength: rank });
  }

  /** Some of the axes, at times none or all. */
  axes(rank: number): number[] {
    return this.#g(fc.subarray, [...Array(rank).keys()]);
  }

  /** Numbers between two bounds, all of them float32. */
  floats(shape: Shape, low = -2, high = 2): Operand {
    const data = Float64Array.from({ length: sizeOf(shape) }, () =>
      Math.fround(low + (high - low) * this.#random.uniform()),
    );
    return { shape, data, dtype: 'float32' };
  }

  int8s(shape: Shape): Operand {
    const data = Float64Array.from({ length: sizeOf(shape) }, () => this.#random.below(256) - 128);
    return { shape, data, dtype: 'int8' };
  }

  uint8s(shape: Shape): Operand {
    return { shape, data: Float64Array.from({ length: sizeOf(shape) }, () => this.#random.below(256)), dtype: 'uint8' };
  }

  /** Odd numbers of 32 bits. */
  oddInt32s(count: number): Operand {
    const data = Float64Array.from({ length: count }, () => (this.#random.uint32() | 1) >> 0);
    return { shape: [count], data, dtype: 'int32' };
  }

  ids(count: number, below: number): Operand {
    const data = Float64Array.from({ length: count }, () => this.#random.below(below));
    return { shape: [count], data, dtype: 'int64' };
  }
}

export interface Operand extends Values {
  readonly dtype: DType;
  /** True for float32 tables that a gradient never reaches. */
  readonly fixed?: boolean;
}

/** One application of an operator, and what it should give. */
export interface Instance {
  readonly operands: readonly Operand[];
  trace(...operands: Tensor[]): Tensor | readonly Tensor[];
  /** Plain TypeScript in float64. */
  reference(...operands: Values[]): Values | readonly Values[];
  /** By how much values may differ, relative to the largest, and gradients; as float32 does where left out. */
  readonly tolerance?: number;
  readonly gradientTolerance?: number;
}

export type OperatorCase = (draw: Draw) => Instance;
