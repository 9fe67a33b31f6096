import { type FileHandle, open } from 'node:fs/promises';
import { MeanfieldError } from '../errors.js';
import { KNOWN_BY, knownFormat } from '../known-format.js';
import { DTYPE_BYTES, decodeFloat32, FLOAT_DTYPES, isFloatDtype } from '../safetensors-dtype.js';
import {
  fault,
  LARGEST_HEADER,
  parseSafetensorsHeader,
  type SafetensorsHeader,
  type TensorInfo,
} from '../safetensors-header.js';
import type { NamedTensors } from '../safetensors-writer.js';
import { LARGEST_TRANSFER } from './atomic.js';
import { fileState } from './file-state.js';
import { pathFault } from './path-fault.js';

/**
 * An open safetensors file (https://huggingface.co/docs/safetensors). Its header is read and checked when it is
 * opened; each tensor is read on request, straight into the caller's memory.
 *
 * @example
 * const file = await SafetensorsFile.open('model.safetensors');
 * const weight = await file.readFloat32('wte.weight');
 * await file.close();
 */
export class SafetensorsFile {
  /** The tensors by name, in the order of the data. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** The texts of `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly #file: FileHandle;
  readonly #dataStart: number;

  private constructor(
    readonly path: string,
    file: FileHandle,
    header: SafetensorsHeader,
    dataStart: number,
  ) {
    this.tensors = header.tensors;
    this.metadata = header.metadata;
    this.#file = file;
    this.#dataStart = dataStart;
  }

  /** @throws MeanfieldError when the file cannot be opened or is no sound safetensors file */
  static async open(path: string): Promise<SafetensorsFile> {
    const wrong = await pathFault(path, 'file');
    if (wrong !== undefined) throw new MeanfieldError(`Cannot open ${path}: ${wrong}.`);
    return SafetensorsFile.from(await open(path, 'r'), path);
  }

  /**
   * Reads the header of a file that is open, and closes it with {@link close}.
   *
   * @throws MeanfieldError when it is no sound safetensors file; it is closed then
   */
  static async from(file: FileHandle, path: string): Promise<SafetensorsFile> {
    let start = new Uint8Array(0);
    try {
      const size = (await file.stat()).size;
      start = new Uint8Array(Math.min(size, KNOWN_BY));
      await readFully(file, start, 0, path);
      if (size < 8) throw fault(path, `it has ${size} bytes, at least 8 are needed`);
      const declared = new DataView(start.buffer).getBigUint64(0, true);
      if (declared > BigInt(Math.min(LARGEST_HEADER, size - 8))) {
        throw fault(
          path,
          `its header claims ${declared} bytes, the file has ${size} (at most ${LARGEST_HEADER} allowed)`,
        );
      }
      const json = new Uint8Array(Number(declared));
      await readFully(file, json, 8, path);
      const dataStart = 8 + json.length;
      return new SafetensorsFile(path, file, parseSafetensorsHeader(json, size - dataStart, path), dataStart);
    } catch (error) {
      await file.close();
      // Not before: a sound header may begin with any length.
      const known = knownFormat(start);
      if (known === undefined) throw error;
      throw new MeanfieldError(`${path} is no safetensors file but ${known}.`, { cause: error });
    }
  }

  /** Where a tensor lies and what it is. @throws MeanfieldError when the file has none of that name */
  info(name: string): TensorInfo {
    const info = this.tensors.get(name);
    if (info === undefined) {
      const some = [...this.tensors.keys()].slice(0, 5).join(', ');
      throw new MeanfieldError(`${this.path} has no tensor ${name}. It has ${this.tensors.size}: ${some}…`);
    }
    return info;
  }

  /**
   * Reads a tensor as single precision; F16 and BF16 are widened exactly, F64 is rounded.
   *
   * @param target filled and returned; of exactly the tensor's number of elements. A new one when left out.
   * @throws MeanfieldError when the tensor is missing, of another size or not of floating point
   */
  async readFloat32(name: string, target?: Float32Array): Promise<Float32Array> {
    const { dtype, length, shape, start } = this.info(name);
    if (!isFloatDtype(dtype)) {
      throw new MeanfieldError(`${this.path}: tensor ${name} is ${dtype}, expected one of ${FLOAT_DTYPES.join(', ')}.`);
    }
    const result = target ?? new Float32Array(length);
    if (result.length !== length) {
      throw new MeanfieldError(
        `${this.path}: tensor ${name} has shape [${shape}], ${length} elements; expected ${result.length}.`,
      );
    }
    if (dtype === 'F32') {
      await this.#read(new Uint8Array(result.buffer, result.byteOffset, result.byteLength), start);
      return result;
    }
    const width = DTYPE_BYTES[dtype];
    const scratch = new Uint8Array(Math.min(length * width, 2 ** 20));
    const step = scratch.length / width;
    for (let first = 0; first < length; first += step) {
      const part = result.subarray(first, first + step);
      await this.#read(scratch.subarray(0, part.length * width), start + first * width);
      decodeFloat32(dtype, scratch, part);
    }
    return result;
  }

  /**
   * Reads bytes of a tensor as they lie in the file.
   *
   * @param from the first, counted from the tensor's own
   * @throws MeanfieldError when the file has become shorter
   */
  async readRange(name: string, from: number, target: Uint8Array): Promise<void> {
    const { bytes, start } = this.info(name);
    if (from < 0 || from + target.length > bytes)
      throw new Error(`${name} has ${bytes} bytes, and ${target.length} were asked for from ${from} on`);
    await this.#read(target, start + from);
  }

  /** Reads a tensor of any type as the file's own little-endian bytes, in memory aligned for every element type. */
  async readBytes(name: string): Promise<Uint8Array> {
    const { bytes, start } = this.info(name);
    const result = new Uint8Array(bytes);
    await this.#read(result, start);
    return result;
  }

  /**
   * Fills arrays with the tensors of their names.
   *
   * @throws MeanfieldError when the file's names or shapes are not exactly those expected
   */
  async fill(targets: NamedTensors): Promise<void> {
    const expected = [...targets];
    for (const { name, shape } of expected) {
      const found = this.info(name).shape;
      if (found.length !== shape.length || found.some((size, axis) => size !== shape[axis])) {
        throw new MeanfieldError(`${this.path}: tensor ${name} has shape [${found}], expected [${shape}].`);
      }
    }
    const names = new Set(expected.map(({ name }) => name));
    const extra = [...this.tensors.keys()].filter((name) => !names.has(name));
    if (extra.length > 0) {
      throw new MeanfieldError(
        `${this.path} has ${extra.length} tensors that are not expected here: ${extra.slice(0, 5).join(', ')}.`,
      );
    }
    for (const { name, data } of expected) await this.readFloat32(name, data);
  }

  /** What tells this state of the file from another, as far as the file system knows. */
  state(): Promise<string> {
    return fileState(this.#file);
  }

  /** Closes the file; tensors read before stay. */
  async close(): Promise<void> {
    await this.#file.close();
  }

  #read(target: Uint8Array, offset: number): Promise<void> {
    return readFully(this.#file, target, this.#dataStart + offset, this.path);
  }
}

async function readFully(file: FileHandle, target: Uint8Array, position: number, path: string): Promise<void> {
  for (let done = 0; done < target.length; ) {
    const length = Math.min(target.length - done, LARGEST_TRANSFER);
    const { bytesRead } = await file.read(target, done, length, position + done);
    if (bytesRead === 0) throw fault(path, `it ends at byte ${position + done}, it was cut while it was read`);
    done += bytesRead;
  }
}
