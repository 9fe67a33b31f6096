/*
 * The header of a GGUF file, as https://github.com/ggml-org/ggml/blob/master/docs/gguf.md describes it, with the rules that
 * llama.cpp's reader (ggml/src/gguf.cpp) adds: names once, known types, data that begins where the sizes say.
 */
import { MeanfieldError } from '../../base/errors.js';
import { printableLine } from '../../base/printable.js';
import { bytesOf, type GgmlType, ggmlTypeOf, ggmlTypes, REMOVED_TYPES } from './types.js';

/** The names of the types of values, by what a file has for them. */
export const VALUE_TYPES = [
  'UINT8',
  'INT8',
  'UINT16',
  'INT16',
  'UINT32',
  'INT32',
  'FLOAT32',
  'BOOL',
  'STRING',
  'ARRAY',
  'UINT64',
  'INT64',
  'FLOAT64',
] as const;

export type ValueType = (typeof VALUE_TYPES)[number];

type Scalar = number | bigint | boolean | string;

/** A value of the metadata, with the type that the file gives it; of an array that of its elements. */
export type GgufValue =
  | { readonly type: Exclude<ValueType, 'ARRAY'>; readonly value: Scalar }
  | { readonly type: 'ARRAY'; readonly of: ValueType; readonly value: readonly Scalar[] };

/** Where a tensor lies in a GGUF file and what it is. */
export interface GgufTensorInfo {
  readonly type: GgmlType;
  /** As everywhere else: the last size is that of a row. In the file the order is the other way round. */
  readonly shape: readonly number[];
  /** Number of elements. */
  readonly length: number;
  /** Bytes from the start of the file to the first element. */
  readonly start: number;
  readonly bytes: number;
}

/** What the header of a GGUF file says. */
export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** In the order of the data. */
  readonly tensors: ReadonlyMap<string, GgufTensorInfo>;
}

/** More than any file has of each; they keep a hostile count from claiming memory. */
const MOST = { pairs: 65_536, elements: 2 ** 22, tensors: 65_536, key: 65_535, name: 63, sizes: 4 } as const;
/** A string that is no token's: templates are the longest. */
const LONGEST = 2 ** 24;

const ALIGNMENT = 'general.alignment';

/** An error that says which file is unsound and why. */
export function ggufFault(path: string, reason: string): MeanfieldError {
  return new MeanfieldError(
    `${path} is not a sound GGUF file: ${printableLine(reason)}. Take it again from its source.`,
  );
}

/** Thrown where the bytes end before the header does. */
const ended = Symbol('the bytes end');

/**
 * Reads the header from the first bytes of a file.
 *
 * @param bytes the file's start, at least 4 bytes of it where it has them
 * @param fileBytes bytes of the whole file
 * @param path the file's name, for errors
 * @returns undefined where the header is longer than the bytes given, and the file is too
 * @throws MeanfieldError that names the first fault
 */
export function parseGgufHeader(bytes: Uint8Array, fileBytes: number, path: string): GgufHeader | undefined {
  try {
    return new HeaderReader(bytes, fileBytes, path).read();
  } catch (error) {
    if (error !== ended) throw error;
    if (bytes.length < fileBytes) return undefined;
    throw ggufFault(path, `it ends within its header, after ${fileBytes} bytes; it was cut`);
  }
}

class HeaderReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #fileBytes: number;
  readonly #path: string;
  readonly #text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  #at = 0;

  constructor(bytes: Uint8Array, fileBytes: number, path: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#fileBytes = fileBytes;
    this.#path = path;
  }

  read(): GgufHeader {
    const magic = this.#uint32();
    if (magic !== 0x46554747) throw this.#fault('it does not begin with GGUF');
    const version = this.#uint32();
    if (version === 0x03000000 || version === 0x02000000)
      throw this.#fault('its numbers are big-endian, and little-endian ones alone are read');
    if (version !== 2 && version !== 3) throw this.#fault(`its version is ${version}, and 2 and 3 are read`);
    const tensors = this.#count('tensors', MOST.tensors);
    const pairs = this.#count('keys', MOST.pairs);
    const metadata = new Map<string, GgufValue>();
    for (let i = 0; i < pairs; i++) {
      const key = this.#string('a key', MOST.key);
      if (key === '') throw this.#fault('it has a key without a name');
      if (metadata.has(key)) throw this.#fault(`it has the key ${quote(key)} twice`);
      metadata.set(key, this.#value(key));
    }
    const infos: [name: string, info: Omit<GgufTensorInfo, 'start'>, offset: number][] = [];
    const names = new Set<string>();
    for (let i = 0; i < tensors; i++) {
      const name = this.#string('the name of a tensor', MOST.name);
      if (names.has(name)) throw this.#fault(`it has the tensor ${quote(name)} twice`);
      names.add(name);
      infos.push([name, this.#tensor(name), this.#size(`the offset of tensor ${quote(name)}`)]);
    }
    return { metadata, tensors: this.#placed(infos, this.#alignment(metadata)) };
  }

  #alignment(metadata: ReadonlyMap<string, GgufValue>): number {
    const given = metadata.get(ALIGNMENT);
    if (given === undefined) return 32;
    const { type, value } = given;
    if (type !== 'UINT32' || Number(value) === 0 || (Number(value) & (Number(value) - 1)) !== 0)
      throw this.#fault(`${ALIGNMENT} is ${quote(value)} (${type}), expected a power of two (UINT32)`);
    return Number(value);
  }

  #tensor(name: string): Omit<GgufTensorInfo, 'start'> {
    const dimensions = this.#uint32();
    if (dimensions < 1 || dimensions > MOST.sizes)
      throw this.#fault(`tensor ${quote(name)} has ${dimensions} dimensions, expected 1 to ${MOST.sizes}`);
    const sizes = Array.from({ length: dimensions }, () => this.#size(`a size of tensor ${quote(name)}`));
    const id = this.#uint32();
    const type = ggmlTypeOf(id);
    if (type === undefined) throw this.#fault(`tensor ${quote(name)} is of ${unknownType(id)}`);
    const { block, bytes } = ggmlTypes[type];
    const length = sizes.reduce((product, size) => product * size, 1);
    if (length === 0 || !Number.isSafeInteger(length * bytes))
      throw this.#fault(`tensor ${quote(name)} has sizes ${sizes.join(', ')}, which no file holds`);
    if (sizes[0]! % block !== 0)
      throw this.#fault(`tensor ${quote(name)} has rows of ${sizes[0]}, and ${type} needs a multiple of ${block}`);
    return { type, shape: sizes.reverse(), length, bytes: bytesOf(type, length) };
  }

  #placed(
    infos: readonly [name: string, info: Omit<GgufTensorInfo, 'start'>, offset: number][],
    alignment: number,
  ): ReadonlyMap<string, GgufTensorInfo> {
    const aligned = (bytes: number) => Math.ceil(bytes / alignment) * alignment;
    const dataStart = aligned(this.#at);
    const tensors = new Map<string, GgufTensorInfo>();
    let expected = 0;
    for (const [name, info, offset] of infos) {
      if (offset !== expected)
        throw this.#fault(`tensor ${quote(name)} starts at byte ${offset} of the data, expected ${expected}`);
      const end = dataStart + offset + info.bytes;
      if (end > this.#fileBytes)
        throw this.#fault(`tensor ${quote(name)} ends at byte ${end}, and the file has ${this.#fileBytes}; it was cut`);
      tensors.set(name, { ...info, start: dataStart + offset });
      expected = aligned(offset + info.bytes);
    }
    return tensors;
  }

  #value(key: string): GgufValue {
    const type = this.#type(key);
    if (type !== 'ARRAY') return { type, value: this.#scalar(type, key) };
    const of = this.#type(key);
    if (of === 'ARRAY') throw this.#fault(`${quote(key)} holds arrays within an array, which are not read`);
    const count = this.#count(`elements of ${quote(key)}`, MOST.elements);
    const value: Scalar[] = [];
    for (let i = 0; i < count; i++) value.push(this.#scalar(of, key));
    return { type, of, value };
  }

  #type(key: string): ValueType {
    const id = this.#uint32();
    const type = VALUE_TYPES[id];
    if (type === undefined) throw this.#fault(`${quote(key)} is of a type ${id} that is not known`);
    return type;
  }

  #scalar(type: Exclude<ValueType, 'ARRAY'>, key: string): Scalar {
    if (type === 'STRING') return this.#string(quote(key), LONGEST);
    const read = numbers[type];
    const at = this.#skip(read.bytes);
    const value = read.from(this.#view, at);
    return type === 'BOOL' ? value !== 0 : value;
  }

  #string(what: string, longest: number): string {
    const length = this.#size(`the length of ${what}`);
    if (length > longest) throw this.#fault(`${what} claims ${length} bytes, at most ${longest} are read`);
    const at = this.#skip(length);
    try {
      return this.#text.decode(this.#bytes.subarray(at, at + length));
    } catch {
      throw this.#fault(`${what} is no UTF-8 text`);
    }
  }

  /** How many of something there are: each takes a byte of the file at least. */
  #count(what: string, most: number): number {
    const count = this.#size(`the number of ${what}`);
    if (count > most || count > this.#fileBytes)
      throw this.#fault(`it claims ${count} ${what}, at most ${Math.min(most, this.#fileBytes)} are read`);
    return count;
  }

  /** A whole number of 64 bits. */
  #size(what: string): number {
    const value = this.#view.getBigUint64(this.#skip(8), true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.#fault(`${what} is ${value}, which no file holds`);
    return Number(value);
  }

  #uint32(): number {
    return this.#view.getUint32(this.#skip(4), true);
  }

  /** Goes on, and returns where it was. */
  #skip(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#fileBytes)
      throw this.#fault(`it ends within its header, after ${this.#fileBytes} bytes; it was cut`);
    if (at + bytes > this.#bytes.length) throw ended;
    this.#at = at + bytes;
    return at;
  }

  #fault(reason: string): MeanfieldError {
    return ggufFault(this.#path, reason);
  }
}

interface NumberReader {
  readonly bytes: number;
  from(view: DataView, at: number): number | bigint;
}

const numbers: Readonly<Record<Exclude<ValueType, 'ARRAY' | 'STRING'>, NumberReader>> = {
  UINT8: { bytes: 1, from: (view, at) => view.getUint8(at) },
  INT8: { bytes: 1, from: (view, at) => view.getInt8(at) },
  UINT16: { bytes: 2, from: (view, at) => view.getUint16(at, true) },
  INT16: { bytes: 2, from: (view, at) => view.getInt16(at, true) },
  UINT32: { bytes: 4, from: (view, at) => view.getUint32(at, true) },
  INT32: { bytes: 4, from: (view, at) => view.getInt32(at, true) },
  FLOAT32: { bytes: 4, from: (view, at) => view.getFloat32(at, true) },
  BOOL: { bytes: 1, from: (view, at) => view.getUint8(at) },
  UINT64: { bytes: 8, from: (view, at) => view.getBigUint64(at, true) },
  INT64: { bytes: 8, from: (view, at) => view.getBigInt64(at, true) },
  FLOAT64: { bytes: 8, from: (view, at) => view.getFloat64(at, true) },
};

/** What a hostile file says is shown, but not more than a line of it. */
function quote(value: unknown): string {
  const text = typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? 'nothing');
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function unknownType(id: number): string {
  const removed = REMOVED_TYPES[id];
  return removed === undefined
    ? `a type ${id} that is not known: it may be newer than this reader`
    : `type ${removed} (${id}), which llama.cpp no longer has: take a file that was made anew, such as in Q4_0`;
}
