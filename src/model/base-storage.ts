/*
 * Frozen weights in fewer bits than they are computed with (QLoRA, arXiv 2305.14314 §3): matrices of linear layers are kept
 * as codes, and expanded to float32 at each product.
 */
import { dequantizeBlocks, input, type Shape, type Tensor, widenBfloat16 } from '../graph/index.js';
import type { LinearLayer } from './adapter.js';
import type { TracedParameters } from './architecture.js';
import { BLOCKS, storeBlocks } from './block-weights.js';
import type { BaseDtype } from './family-names.js';
import type { ParameterEntry, ParameterLayout } from './layout.js';

/** An array that holds a parameter or a part of it. */
export type StoredArray = Float32Array | Int8Array | Uint8Array | Uint16Array;

/** Frozen parameters in memory: one vector, or arrays by the names of a {@link BaseStorage}. */
export type FrozenValues = Float32Array | Readonly<Record<string, StoredArray>>;

/** How the elements of a matrix are kept. */
interface Codec {
  /** A matrix has a multiple of so many elements. */
  readonly block: number;
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

/** Blocks of a matrix as it lies in memory, whatever its rows are: they are expanded, not multiplied by. */
function inBlocks(bits: 4 | 8): Codec {
  const block = BLOCKS[bits];
  const bytes = (block * bits) / 8;
  return {
    block,
    bytes: (size) => (size * bits) / 8 + (4 * size) / block,
    store: (values) => {
      const { codes, scales } = storeBlocks(values, { inputs: values.length, outputs: 1, rows: 'outputs' }, bits);
      // Where 128 was added to be a whole byte.
      return { [CODES]: bits === 8 ? Int8Array.from(codes, (code) => code - 128) : codes, [SCALES]: scales };
    },
    traced: (name, shape, size) =>
      dequantizeBlocks(
        input(name + CODES, [size / block, bytes], bits === 8 ? 'int8' : 'uint8'),
        input(name + SCALES, [size / block]),
        shape,
      ),
  };
}

const BF16: Codec = {
  block: 1,
  bytes: (size) => 2 * size,
  store: (values) => ({ [BITS]: bfloat16Bits(values) }),
  traced: (name, shape) => widenBfloat16(input(name + BITS, shape, 'uint16')),
};

const IN_BLOCKS = { 4: inBlocks(4), 8: inBlocks(8) } as const;

/** What the matrix of a layer is kept as. */
const CODECS: Readonly<Record<Exclude<BaseDtype, 'fp32'>, (layer: LinearLayer) => Codec>> = {
  bf16: () => BF16,
  int8: () => IN_BLOCKS[8],
  // Square ones stay in 8 bits, too: each is made float32 before its product, so their bits take no time, as they do where
  // models write, and little memory.
  int4: (layer) => IN_BLOCKS[layer.outputs > layer.inputs ? 4 : 8],
};

/** How the frozen parameters of a model are kept in memory: matrices of its linear layers in few bits, all else in float32. */
export class BaseStorage {
  /** By the names of the parameters that are kept in few bits. */
  readonly #codecs: ReadonlyMap<string, Codec>;

  /** @param layers those whose weights are kept in few bits; those that no blocks can be made of are not */
  constructor(
    private readonly layout: ParameterLayout,
    readonly dtype: Exclude<BaseDtype, 'fp32'>,
    layers: readonly LinearLayer[],
  ) {
    const codecs = layers.map((layer) => [`${layer.name}.weight`, CODECS[dtype](layer)] as const);
    const sizes = new Map(layout.entries.map(({ name, size }) => [name, size]));
    this.#codecs = new Map(codecs.filter(([name, { block }]) => sizes.get(name)! % block === 0));
  }

  /** Bytes of all. */
  get bytes(): number {
    const { entries } = this.layout;
    return entries.reduce((sum, { name, size }) => sum + (this.#codecs.get(name)?.bytes(size) ?? 4 * size), 0);
  }

  /** What a parameter is kept as, by the names of arrays; determined by its values alone. */
  store({ name }: ParameterEntry, values: Float32Array): Record<string, StoredArray> {
    const codec = this.#codecs.get(name);
    if (!codec) return { [name]: values };
    return Object.fromEntries(Object.entries(codec.store(values)).map(([after, array]) => [name + after, array]));
  }

  /** The parameters in float32, by their names, out of inputs named as the arrays of {@link store} behind a prefix. */
  traced(prefix = ''): TracedParameters {
    const of = ({ name, shape, size }: ParameterEntry) =>
      this.#codecs.get(name)?.traced(prefix + name, shape, size) ?? input(prefix + name, shape);
    return Object.fromEntries(this.layout.entries.map((entry) => [entry.name, of(entry)]));
  }
}

/** The upper 16 bits of each value, rounded to the nearest, ties to even. */
function bfloat16Bits(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16);
}
