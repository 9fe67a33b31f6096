import { toBfloat16, toFloat16 } from './half-precision.js';
import { DTYPE_BYTES, type Dtype } from './safetensors-dtype.js';

/** A tensor in memory: row-major elements under a name. `data` may be a view of a larger vector. */
export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Tensors in memory, each name once. */
export type NamedTensors = Iterable<NamedTensor>;

/** A tensor of any element type that we write; the type follows from the array, a Uint16Array being the bits of bfloat16. */
export interface StorableTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array | BigInt64Array | Uint16Array | Uint8Array;
  /** Of single precision: the type that its numbers are rounded to as they are written. */
  readonly rounded?: RoundedDtype | undefined;
}

/** Types that single precision can be rounded to. */
export type RoundedDtype = keyof typeof ROUND;

const ROUND = { F16: toFloat16, BF16: toBfloat16 } as const;
/** Elements that are rounded at a time. */
const AT_ONCE = 2 ** 20;

/**
 * The bytes of a safetensors file, piece by piece: the header, then views of the tensors' own memory, which must not
 * change until they are written. The order is that of the reference implementation (wide types first, then by name),
 * so the same tensors give the same bytes as Python's `safetensors` does.
 *
 * @param metadata texts for `__metadata__`; Hugging Face's libraries want `{ format: 'pt' }` in a model's weights
 *
 * @example
 * await writeFileAtomic('weights.safetensors', encodeSafetensors([{ name: 'w', shape: [2], data: new Float32Array(2) }]));
 */
export function* encodeSafetensors(
  tensors: Iterable<StorableTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Generator<Uint8Array> {
  const parts = [...tensors].map((tensor) => ({ ...tensor, dtype: tensor.rounded ?? dtypeOf(tensor.data) }));
  for (const { name, shape, data } of parts) {
    const length = shape.reduce((product, size) => product * size, 1);
    if (length !== data.length)
      throw new Error(`safetensors: ${name} of shape [${shape}] needs ${length} elements, got ${data.length}`);
  }
  parts.sort((a, b) => DTYPE_RANK.indexOf(a.dtype) - DTYPE_RANK.indexOf(b.dtype) || byUtf8(a.name, b.name));
  yield header(parts, metadata);
  for (const { data, rounded } of parts) {
    if (rounded === undefined) yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    else yield* roundedBytes(data as Float32Array, rounded);
  }
}

/**
 * As {@link encodeSafetensors}, of float32 tensors that are never all in memory.
 *
 * @param read gives a tensor's elements in their order; an array is written before the next is asked for
 * @param rounded the type that their numbers are rounded to as they are written
 */
export async function* encodeSafetensorsInPieces(
  tensors: Iterable<Omit<NamedTensor, 'data'>>,
  read: (name: string) => AsyncIterable<Float32Array>,
  metadata: Readonly<Record<string, string>> = {},
  rounded?: RoundedDtype,
): AsyncGenerator<Uint8Array> {
  const parts = [...tensors].map(({ name, shape }) => ({ name, shape, dtype: rounded ?? ('F32' as const) }));
  parts.sort((a, b) => byUtf8(a.name, b.name));
  yield header(parts, metadata);
  for (const { name, shape } of parts) {
    let left = shape.reduce((product, size) => product * size, 1);
    for await (const data of read(name)) {
      left -= data.length;
      if (rounded === undefined) yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      else yield* roundedBytes(data, rounded);
    }
    if (left !== 0) throw new Error(`safetensors: ${name} of shape [${shape}] came with ${-left} elements more`);
  }
}

function* roundedBytes(data: Float32Array, dtype: RoundedDtype): Generator<Uint8Array> {
  for (let first = 0; first < data.length; first += AT_ONCE) {
    const part = data.subarray(first, first + AT_ONCE);
    const halves = new Uint16Array(part.length);
    ROUND[dtype](part, halves);
    yield new Uint8Array(halves.buffer);
  }
}

/** The reference implementation writes the last of its enumeration first; these are ours of them. */
const DTYPE_RANK: readonly Dtype[] = ['I64', 'F32', 'I32', 'BF16', 'F16', 'U8'];

interface Part extends Pick<StorableTensor, 'name' | 'shape'> {
  readonly dtype: Dtype;
}

function header(parts: readonly Part[], metadata: Readonly<Record<string, string>>): Uint8Array {
  const entries: string[] = [];
  if (Object.keys(metadata).length > 0) entries.push(`"__metadata__":${JSON.stringify(metadata)}`);
  const names = new Set(['__metadata__']);
  let end = 0;
  for (const { name, dtype, shape } of parts) {
    if (names.has(name)) throw new Error(`safetensors: the name ${JSON.stringify(name)} is taken`);
    names.add(name);
    const length = shape.reduce((product, size) => product * size, 1);
    const start = end;
    end += length * DTYPE_BYTES[dtype];
    // Written by hand because JSON.stringify of an object moves names such as "0" to the front.
    entries.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [start, end] })}`);
  }
  const json = new TextEncoder().encode(`{${entries.join(',')}}`);
  // Spaces up to a multiple of 8, so that the data is aligned in a mapped file.
  const padded = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(json, 8);
  return bytes;
}

/** As Rust orders strings. The operator `<` would put characters beyond U+FFFF before U+E000 to U+FFFF. */
function byUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function dtypeOf(data: StorableTensor['data']): Dtype {
  if (data instanceof Float32Array) return 'F32';
  if (data instanceof Int32Array) return 'I32';
  if (data instanceof Uint16Array) return 'BF16';
  return data instanceof BigInt64Array ? 'I64' : 'U8';
}
