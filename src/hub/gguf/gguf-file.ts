import { type FileHandle, open } from 'node:fs/promises';
import { MeanfieldError } from '../../base/errors.js';
import { LARGEST_TRANSFER } from '../../base/files/atomic.js';
import { fileState } from '../../base/files/file-state.js';
import { pathFault } from '../../base/files/path-fault.js';
import { KNOWN_BY, knownFormat } from '../../base/known-format.js';
import { printableLine } from '../../base/printable.js';
import { dequantize, isReadable, READABLE_TYPES } from './dequantize.js';
import { type GgufHeader, type GgufTensorInfo, type GgufValue, ggufFault, parseGgufHeader } from './header.js';
import { bytesOf } from './types.js';

/** A header of more bytes is not read: the largest vocabularies take a sixth of it. */
const LARGEST_HEADER = 100_000_000;
/** Elements that are read at a time: a multiple of every block. */
const PIECE = 2 ** 18;

/** Whether a path is that of a file that begins as a GGUF file does. */
export async function isGguf(path: string): Promise<boolean> {
  if ((await pathFault(path, 'file')) !== undefined) return false;
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(4), 0, 4, 0);
    return bytesRead === 4 && String.fromCharCode(...buffer) === 'GGUF';
  } finally {
    await file.close();
  }
}

/**
 * An open GGUF file, the format of llama.cpp. Its header is read and checked when it is opened; each tensor is read on
 * request, straight into the caller's memory.
 */
export class GgufFile {
  readonly path: string;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** The tensors by name, in the order of the data. */
  readonly tensors: ReadonlyMap<string, GgufTensorInfo>;
  readonly #file: FileHandle;

  private constructor(path: string, file: FileHandle, { metadata, tensors }: GgufHeader) {
    this.path = path;
    this.metadata = metadata;
    this.tensors = tensors;
    this.#file = file;
  }

  /** @throws MeanfieldError when the file cannot be opened, is no sound GGUF file, or has tensors that are not read here */
  static async open(path: string): Promise<GgufFile> {
    const wrong = await pathFault(path, 'file');
    if (wrong !== undefined) throw new MeanfieldError(`Cannot open ${path}: ${wrong}.`);
    const file = await open(path, 'r');
    try {
      const header = await readHeader(file, path);
      refuseTypes(path, header.tensors);
      return new GgufFile(path, file, header);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** What tells this state of the file from another, as far as the file system knows. */
  state(): Promise<string> {
    return fileState(this.#file);
  }

  /**
   * Reads a tensor as float32.
   *
   * @param target where it goes, of the tensor's size; new memory when left out
   */
  async readFloat32(name: string, target?: Float32Array): Promise<Float32Array> {
    const info = this.tensors.get(name);
    if (info === undefined) throw new MeanfieldError(`${this.path} has no tensor ${name}.`);
    const { type, length, start } = info;
    const result = target ?? new Float32Array(length);
    if (result.length !== length || !isReadable(type))
      throw new MeanfieldError(`${this.path}: tensor ${name} has ${length} elements (${type}), not ${result.length}.`);
    if (type === 'F32') {
      await this.#read(new Uint8Array(result.buffer, result.byteOffset, result.byteLength), start);
      return result;
    }
    const scratch = new Uint8Array(bytesOf(type, Math.min(length, PIECE)));
    for (let first = 0; first < length; first += PIECE) {
      const part = result.subarray(first, first + PIECE);
      const blocks = scratch.subarray(0, bytesOf(type, part.length));
      await this.#read(blocks, start + bytesOf(type, first));
      dequantize(type, blocks, part);
    }
    return result;
  }

  /** Closes the file; tensors read before stay. */
  close(): Promise<void> {
    return this.#file.close();
  }

  #read(target: Uint8Array, position: number): Promise<void> {
    return readFully(this.#file, target, position, this.path);
  }
}

/** Reads ever more of the file's start until it holds the header: nobody knows how long that is. */
async function readHeader(file: FileHandle, path: string): Promise<GgufHeader> {
  const { size } = await file.stat();
  for (let length = 2 ** 20; ; length *= 4) {
    const bytes = new Uint8Array(Math.min(length, size, LARGEST_HEADER));
    await readFully(file, bytes, 0, path);
    if (length === 2 ** 20 && String.fromCharCode(...bytes.subarray(0, 4)) !== 'GGUF') {
      const known = knownFormat(bytes.subarray(0, KNOWN_BY));
      throw new MeanfieldError(`${path} is no GGUF file${known === undefined ? '' : ` but ${known}`}.`);
    }
    const header = parseGgufHeader(bytes, size, path);
    if (header !== undefined) return header;
    if (bytes.length === LARGEST_HEADER)
      throw ggufFault(path, `its header is longer than ${LARGEST_HEADER} bytes, which are read at most`);
  }
}

function refuseTypes(path: string, tensors: ReadonlyMap<string, GgufTensorInfo>): void {
  const others = [...tensors].filter(([, { type }]) => !isReadable(type));
  const [first] = others;
  if (first === undefined) return;
  const [name, { type }] = first;
  const types = [...new Set(others.map(([, info]) => info.type))].sort().join(', ');
  const all = others.length === 1 ? '' : ` (${others.length} tensors are of such types: ${types})`;
  throw new MeanfieldError(
    `${path}: tensor ${printableLine(name)} is of type ${type}, which is not read here${all}; allowed: ` +
      `${READABLE_TYPES.join(', ')}. Take the model in one of those, such as a file called Q8_0 or Q4_K_M, or as Hugging ` +
      "Face's safetensors.",
  );
}

async function readFully(file: FileHandle, target: Uint8Array, position: number, path: string): Promise<void> {
  for (let done = 0; done < target.length; ) {
    const length = Math.min(target.length - done, LARGEST_TRANSFER);
    const { bytesRead } = await file.read(target, done, length, position + done);
    if (bytesRead === 0) throw ggufFault(path, `it ends at byte ${position + done}, it was cut while it was read`);
    done += bytesRead;
  }
}
