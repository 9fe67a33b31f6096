/*
 * The bytes of a GGUF file of version 3, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, little-endian.
 */
import { type GgufValue, VALUE_TYPES, type ValueType } from './header.js';
import { bytesOf, type GgmlType, ggmlTypes } from './types.js';

/** A tensor to be written: its bytes are made when they are needed, so that one is in memory at a time. */
export interface GgufTensor {
  readonly name: string;
  /** The last size is that of a row. */
  readonly shape: readonly number[];
  readonly type: GgmlType;
  /** Its elements as blocks of the type, in pieces. */
  data(): Iterable<Uint8Array>;
}

const ALIGNMENT = 32;
const text = new TextEncoder();

/**
 * The bytes of a GGUF file, piece by piece.
 *
 * @throws Error when a name is taken or longer than llama.cpp reads, or a tensor gives other bytes than its shape needs
 */
export function* encodeGguf(
  metadata: ReadonlyMap<string, GgufValue>,
  tensors: readonly GgufTensor[],
): Generator<Uint8Array> {
  yield* headOf(metadata, tensors);
  for (const tensor of tensors) {
    let written = 0;
    for (const piece of tensor.data()) {
      yield piece;
      written += piece.length;
    }
    yield fillingBehind(tensor, written);
  }
}

/** {@link encodeGguf} of tensors that are read when they are written. @param data a tensor's, in place of its own */
export async function* encodeGgufInPieces<T extends Omit<GgufTensor, 'data'>>(
  metadata: ReadonlyMap<string, GgufValue>,
  tensors: readonly T[],
  data: (tensor: T) => Promise<Iterable<Uint8Array>>,
): AsyncGenerator<Uint8Array> {
  yield* headOf(metadata, tensors);
  for (const tensor of tensors) {
    let written = 0;
    for (const piece of await data(tensor)) {
      yield piece;
      written += piece.length;
    }
    yield fillingBehind(tensor, written);
  }
}

function* headOf(
  metadata: ReadonlyMap<string, GgufValue>,
  tensors: readonly Omit<GgufTensor, 'data'>[],
): Generator<Uint8Array> {
  const head = new Pieces();
  head.bytes(text.encode('GGUF'));
  head.number('UINT32', 3);
  head.number('UINT64', tensors.length);
  head.number('UINT64', metadata.size);
  for (const [key, value] of metadata) {
    head.string(key);
    head.value(value);
  }
  const names = new Set<string>();
  let offset = 0;
  for (const { name, shape, type } of tensors) {
    if (names.has(name) || name.length > 63) throw new Error(`gguf: the name ${name} is taken, or too long`);
    names.add(name);
    if (shape.at(-1)! % ggmlTypes[type].block !== 0) throw new Error(`gguf: rows of ${name} are no blocks of ${type}`);
    head.string(name);
    head.number('UINT32', shape.length);
    for (const size of [...shape].reverse()) head.number('UINT64', size);
    head.number('UINT32', ggmlTypes[type].id);
    head.number('UINT64', offset);
    offset += padded(sizeOf(shape, type));
  }
  const start = head.taken();
  yield start;
  yield new Uint8Array(padded(start.length) - start.length);
}

function fillingBehind({ name, shape, type }: Omit<GgufTensor, 'data'>, written: number): Uint8Array {
  if (written !== sizeOf(shape, type))
    throw new Error(`gguf: ${name} has ${written} bytes, not ${sizeOf(shape, type)}`);
  return new Uint8Array(padded(written) - written);
}

const padded = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
const sizeOf = (shape: readonly number[], type: GgmlType): number =>
  bytesOf(
    type,
    shape.reduce((product, size) => product * size, 1),
  );

type Setter = (view: DataView, value: number) => void;

const setters: Readonly<Record<Exclude<ValueType, 'ARRAY' | 'STRING'>, readonly [bytes: number, set: Setter]>> = {
  UINT8: [1, (view, value) => view.setUint8(0, value)],
  INT8: [1, (view, value) => view.setInt8(0, value)],
  UINT16: [2, (view, value) => view.setUint16(0, value, true)],
  INT16: [2, (view, value) => view.setInt16(0, value, true)],
  UINT32: [4, (view, value) => view.setUint32(0, value, true)],
  INT32: [4, (view, value) => view.setInt32(0, value, true)],
  FLOAT32: [4, (view, value) => view.setFloat32(0, value, true)],
  BOOL: [1, (view, value) => view.setUint8(0, value)],
  UINT64: [8, (view, value) => view.setBigUint64(0, BigInt(value), true)],
  INT64: [8, (view, value) => view.setBigInt64(0, BigInt(value), true)],
  FLOAT64: [8, (view, value) => view.setFloat64(0, value, true)],
};

/** Bytes that are put after one another. */
class Pieces {
  #buffer = new Uint8Array(2 ** 20);
  #length = 0;

  bytes(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  number(type: keyof typeof setters, value: number): void {
    const [bytes, set] = setters[type];
    this.#room(bytes);
    set(new DataView(this.#buffer.buffer, this.#length, bytes), value);
    this.#length += bytes;
  }

  string(value: string): void {
    const bytes = text.encode(value);
    this.number('UINT64', bytes.length);
    this.bytes(bytes);
  }

  value(value: GgufValue): void {
    this.number('UINT32', VALUE_TYPES.indexOf(value.type));
    if (value.type !== 'ARRAY') {
      this.#scalar(value.type, value.value);
      return;
    }
    this.number('UINT32', VALUE_TYPES.indexOf(value.of));
    this.number('UINT64', value.value.length);
    for (const each of value.value) this.#scalar(value.of, each);
  }

  taken(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  #scalar(type: ValueType, value: unknown): void {
    if (type === 'STRING') this.string(value as string);
    else if (type !== 'ARRAY') this.number(type, Number(value));
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = new Uint8Array(2 * (this.#length + bytes));
    larger.set(this.taken());
    this.#buffer = larger;
  }
}
