import { MeanfieldError } from './errors.js';
import { knownFormat } from './known-format.js';
import { DTYPE_BYTES, decodeFloat32, FLOAT_DTYPES, isFloatDtype } from './safetensors-dtype.js';
import { fault, LARGEST_HEADER, parseSafetensorsHeader, type TensorInfo } from './safetensors-header.js';

/** A safetensors file that is in memory whole, as a page has it; `SafetensorsFile` reads one from a disk. */
export class SafetensorsBytes {
  /** The tensors by name, in the order of the data. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly #data: Uint8Array;

  /**
   * @param bytes not copied
   * @param path what to call it in errors
   * @throws MeanfieldError when it is no sound safetensors file
   */
  constructor(
    bytes: Uint8Array,
    readonly path: string,
  ) {
    try {
      if (bytes.length < 8) throw fault(path, `it has ${bytes.length} bytes, at least 8 are needed`);
      const declared = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
      if (declared > BigInt(Math.min(LARGEST_HEADER, bytes.length - 8)))
        throw fault(
          path,
          `its header claims ${declared} bytes, the file has ${bytes.length} (at most ${LARGEST_HEADER} allowed)`,
        );
      const start = 8 + Number(declared);
      this.#data = bytes.subarray(start);
      this.tensors = parseSafetensorsHeader(bytes.subarray(8, start), this.#data.length, path).tensors;
    } catch (error) {
      // Not before: a sound header may begin with any length.
      const known = knownFormat(bytes);
      if (known === undefined) throw error;
      throw new MeanfieldError(`${path} is no safetensors file but ${known}.`, { cause: error });
    }
  }

  /**
   * A tensor as single precision: a view of the file where that is what it holds, else made anew. F16 and BF16 are widened
   * exactly, F64 is rounded.
   *
   * @throws MeanfieldError when the tensor is not of floating point
   */
  float32(name: string): Float32Array {
    const { dtype, length, start, bytes } = this.tensors.get(name)!;
    if (!isFloatDtype(dtype))
      throw new MeanfieldError(`${this.path}: tensor ${name} is ${dtype}, expected one of ${FLOAT_DTYPES.join(', ')}.`);
    const stored = this.#data.subarray(start, start + bytes);
    // A file may place its data anywhere; an array of numbers may not begin anywhere.
    const aligned = stored.byteOffset % DTYPE_BYTES[dtype] === 0 ? stored : stored.slice();
    if (dtype === 'F32') return new Float32Array(aligned.buffer, aligned.byteOffset, length);
    const values = new Float32Array(length);
    decodeFloat32(dtype, aligned, values);
    return values;
  }
}
