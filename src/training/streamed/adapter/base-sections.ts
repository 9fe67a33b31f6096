/*
 * A model that stays as it is, such as the base of an adapter, read from the files that it came in: the next section's bytes
 * are under way, as they lie there, while one is worked on in float32.
 * Shape suffixes: N tokens; C width.
 */
import { DTYPE_BYTES, decodeFloat32, type FloatDtype } from '../../../base/safetensors-dtype.js';
import { lowWords } from '../../../objectives/low-words.js';

/** The tensors of a base, by the names that the model's parameters have. */
export interface BaseTensors {
  /** What a parameter is stored as. @throws MeanfieldError where it is not of floating point */
  dtypeOf(name: string): FloatDtype;
  /** Bytes of a parameter, from one of its own on. @throws MeanfieldError when the file has become shorter */
  readRange(name: string, from: number, target: Uint8Array): Promise<void>;
  /** @throws MeanfieldError when the files are not any more what they were when they were opened */
  check(): Promise<void>;
  close(): Promise<void>;
}

/** Elements of a parameter. */
export interface BaseSlice {
  readonly name: string;
  /** The first, counted from the parameter's own. */
  readonly from: number;
  readonly size: number;
}

export class BaseSections {
  /** Made when the first section is asked for. */
  #raw = new Uint8Array(0);
  #values = new Float32Array(0);

  /** @param sections what belongs together, and is worked on at once */
  constructor(
    private readonly base: BaseTensors,
    private readonly sections: readonly (readonly BaseSlice[])[],
  ) {}

  /**
   * Goes through sections one after another.
   *
   * @param which in the order of the visits
   * @param use works with a section's values, in the order of its slices; they are another's afterwards
   */
  async through(
    which: readonly number[],
    use: (values: readonly Float32Array[], section: number) => Promise<void>,
  ): Promise<void> {
    if (this.#values.length === 0) this.#makeRoom();
    let reading = this.#begin(which[0]);
    for (const [i, section] of which.entries()) {
      await reading;
      const values = this.#decode(this.sections[section]!);
      // The bytes are not needed any more, so the next ones come into their place.
      reading = this.#begin(which[i + 1]);
      try {
        await use(values, section);
      } catch (error) {
        await reading.catch(() => {});
        throw error;
      }
    }
  }

  /** A few elements, read at once. */
  async read(slice: BaseSlice, target: Float32Array): Promise<void> {
    const bytes = new Uint8Array(this.#bytes(slice));
    const dtype = this.base.dtypeOf(slice.name);
    await this.base.readRange(slice.name, slice.from * DTYPE_BYTES[dtype], bytes);
    decode(dtype, bytes, target);
  }

  /** The rows of tokens, [N, C]: only those are read, each once. */
  async rows(name: string, ids_N: BigInt64Array, C: number, into: Float32Array): Promise<void> {
    const ids = lowWords(ids_N);
    const first = new Map<number, number>();
    for (let n = 0; n < ids_N.length; n++) {
      const id = ids[2 * n]!;
      const known = first.get(id);
      const row = into.subarray(n * C, (n + 1) * C);
      if (known === undefined) await this.read({ name, from: id * C, size: C }, row);
      else row.set(into.subarray(known * C, (known + 1) * C));
      first.set(id, known ?? n);
    }
  }

  #makeRoom(): void {
    const most = (of: (slice: BaseSlice) => number) =>
      Math.max(0, ...this.sections.map((slices) => slices.reduce((sum, slice) => sum + of(slice), 0)));
    this.#raw = new Uint8Array(most((slice) => this.#bytes(slice)));
    this.#values = new Float32Array(most(({ size }) => size));
  }

  #bytes({ name, size }: BaseSlice): number {
    return size * DTYPE_BYTES[this.base.dtypeOf(name)];
  }

  #begin(section: number | undefined): Promise<void> {
    const reading = this.#fetch(section === undefined ? [] : this.sections[section]!);
    // Who waits for it hears of a failure; until then nobody may.
    reading.catch(() => {});
    return reading;
  }

  async #fetch(slices: readonly BaseSlice[]): Promise<void> {
    let at = 0;
    const reads = slices.map((slice) => {
      const bytes = this.#raw.subarray(at, (at += this.#bytes(slice)));
      const width = DTYPE_BYTES[this.base.dtypeOf(slice.name)];
      return this.base.readRange(slice.name, slice.from * width, bytes);
    });
    // None may still write into the buffer when one has failed.
    await Promise.allSettled(reads);
    await Promise.all(reads);
  }

  #decode(slices: readonly BaseSlice[]): Float32Array[] {
    let [at, offset] = [0, 0];
    return slices.map((slice) => {
      const values = this.#values.subarray(offset, (offset += slice.size));
      decode(this.base.dtypeOf(slice.name), this.#raw.subarray(at, (at += this.#bytes(slice))), values);
      return values;
    });
  }
}

function decode(dtype: FloatDtype, bytes: Uint8Array, target: Float32Array): void {
  if (dtype === 'F32') new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(bytes);
  else decodeFloat32(dtype, bytes, target);
}
