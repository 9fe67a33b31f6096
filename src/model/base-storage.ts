/*
 * Frozen weights in fewer bits than they are computed with (QLoRA, arXiv 2305.14314 §3): matrices of linear layers are kept
 * as codes, and expanded to float32 at each product.
 */
import { dequantizeBlocks, input, type Shape, type Tensor, widenBfloat16 } from '../graph/index.js';
import type { TracedParameters } from './architecture.js';
import type { BaseDtype } from './family-names.js';
import type { ParameterEntry, ParameterLayout } from './layout.js';

/** An array that holds a parameter or a part of it. */
export type StoredArray = Float32Array | Int8Array | Uint8Array | Uint16Array;

/** Frozen parameters in memory: one vector, or arrays by the names of a {@link BaseStorage}. */
export type FrozenValues = Float32Array | Readonly<Record<string, StoredArray>>;

/** Elements that share a scale: what QLoRA and ONNX Runtime's MatMulNBits have for 4 bits by default is 64 and 32. */
const BLOCK = 32;

/** How the elements of a matrix are kept. */
interface Codec {
  /** Bytes of so many elements. */
  bytes(size: number): number;
  /** The arrays of a matrix by what follows its name, determined by its values alone. */
  store(values: Float32Array): Readonly<Record<string, StoredArray>>;
  /** The matrix of those arrays, which are inputs named `name` and what follows it. */
  traced(name: string, shape: Shape, size: number): Tensor;
}

const CODES = '.codes';
const SCALES = '.scales';
const BITS = '.bits';

const CODECS: Readonly<Record<Exclude<BaseDtype, 'fp32'>, Codec>> = {
  bf16: {
    bytes: (size) => 2 * size,
    store: (values) => ({ [BITS]: bfloat16Bits(values) }),
    traced: (name, shape) => widenBfloat16(input(name + BITS, shape, 'uint16')),
  },
  int8: {
    bytes: (size) => size + (4 * size) / BLOCK,
    store: (values) => {
      const codes = new Int8Array(values.length);
      const scaleOf = (largest: number) => Math.abs(largest) / 127;
      const scales = inBlocks(values, scaleOf, (i, code) => {
        codes[i] = code;
      });
      return { [CODES]: codes, [SCALES]: scales };
    },
    traced: (name, shape, size) =>
      dequantizeBlocks(input(name + CODES, [size / BLOCK, BLOCK], 'int8'), input(name + SCALES, [size / BLOCK]), shape),
  },
  int4: {
    bytes: (size) => size / 2 + (4 * size) / BLOCK,
    store: (values) => {
      const codes = new Uint8Array(values.length / 2);
      // The value of largest magnitude becomes −8: of 16 codes none is left unused.
      const scaleOf = (largest: number) => largest / -8;
      const scales = inBlocks(values, scaleOf, (i, code) => {
        codes[i >> 1]! |= (Math.min(7, code) + 8) << (4 * (i & 1));
      });
      return { [CODES]: codes, [SCALES]: scales };
    },
    traced: (name, shape, size) =>
      dequantizeBlocks(
        input(name + CODES, [size / BLOCK, BLOCK / 2], 'uint8'),
        input(name + SCALES, [size / BLOCK]),
        shape,
      ),
  },
};

/** How the frozen parameters of a model are kept in memory: matrices of its linear layers in few bits, all else in float32. */
export class BaseStorage {
  readonly #codec: Codec;

  /** @param matrices names of the parameters that are kept in few bits; those that no blocks can be made of are not */
  constructor(
    private readonly layout: ParameterLayout,
    readonly dtype: Exclude<BaseDtype, 'fp32'>,
    private readonly matrices: ReadonlySet<string>,
  ) {
    this.#codec = CODECS[dtype];
  }

  /** Bytes of all. */
  get bytes(): number {
    const { entries } = this.layout;
    return entries.reduce((sum, e) => sum + (this.#small(e) ? this.#codec.bytes(e.size) : 4 * e.size), 0);
  }

  /** What a parameter is kept as, by the names of arrays; determined by its values alone. */
  store(entry: ParameterEntry, values: Float32Array): Record<string, StoredArray> {
    if (!this.#small(entry)) return { [entry.name]: values };
    const parts = Object.entries(this.#codec.store(values));
    return Object.fromEntries(parts.map(([after, array]) => [entry.name + after, array]));
  }

  /** The parameters in float32, by their names, out of inputs named as the arrays of {@link store} behind a prefix. */
  traced(prefix = ''): TracedParameters {
    const of = (e: ParameterEntry) =>
      this.#small(e) ? this.#codec.traced(prefix + e.name, e.shape, e.size) : input(prefix + e.name, e.shape);
    return Object.fromEntries(this.layout.entries.map((e) => [e.name, of(e)]));
  }

  #small({ name, size }: ParameterEntry): boolean {
    return this.matrices.has(name) && size % BLOCK === 0;
  }
}

/**
 * A code for each value, which its block's scale brings back: value / scale, rounded, ties to even.
 *
 * @param scaleOf the scale of a block by its value of largest magnitude
 * @returns the scales
 */
function inBlocks(
  values: Float32Array,
  scaleOf: (largest: number) => number,
  put: (i: number, code: number) => void,
): Float32Array {
  const scales = new Float32Array(values.length / BLOCK);
  for (let block = 0; block < scales.length; block++) {
    const [start, end] = [block * BLOCK, (block + 1) * BLOCK];
    let largest = 0;
    for (let i = start; i < end; i++) if (Math.abs(values[i]!) > Math.abs(largest)) largest = values[i]!;
    const scale = largest === 0 ? 0 : Math.fround(scaleOf(largest));
    scales[block] = scale;
    for (let i = start; i < end; i++) put(i, scale === 0 ? 0 : toEven(Math.fround(values[i]! / scale)));
  }
  return scales;
}

function toEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest === 0.5) return below % 2 === 0 ? below : below + 1;
  return rest < 0.5 ? below : below + 1;
}

/** The upper 16 bits of each value, rounded to the nearest, ties to even. */
function bfloat16Bits(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16);
}
