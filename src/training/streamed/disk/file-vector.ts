import type { RangedVector } from '../../ranged-vector.js';
import type { Range } from '../../ranges.js';
import { inPages, PAGE } from '../sections.js';
import { DirectFile, type OpenRaw } from './direct-file.js';

/** A vector in a file, of which the range that was read last is in memory. Nothing of it outlasts who has opened it. */
export class FileVector implements RangedVector {
  /** Memory of the longest range so far, and which pages it has, from where on. */
  #memory: Float32Array = new Float32Array(0);
  #first = -1;

  private constructor(
    private readonly file: DirectFile,
    readonly length: number,
  ) {}

  /** What was never written reads as 0 in a file that is new. @throws MeanfieldError when it cannot be opened */
  static async open(path: string, length: number, by?: OpenRaw): Promise<FileVector> {
    return new FileVector(await DirectFile.open(path, inPages(length), by), length);
  }

  async read(range: Range): Promise<Float32Array> {
    const { first, pages, values } = await this.#place(range);
    this.#first = -1;
    await this.file.read(pages, first);
    this.#first = first;
    return values;
  }

  async write(start: number, values: Float32Array): Promise<void> {
    const range = { start, end: start + values.length };
    const { first, pages, values: own } = await this.#place(range);
    const given = values.buffer === own.buffer && values.byteOffset === own.byteOffset && this.#first === first;
    if (!given) {
      // Beside it in its first and its last page lie others' values.
      const whole = start === first && (range.end % PAGE === 0 || range.end === this.length);
      if (whole) pages.fill(0, values.length);
      else await this.read(range);
      own.set(values);
    }
    this.#first = -1;
    await this.file.write(pages, first);
    this.#first = first;
  }

  close(): Promise<void> {
    return this.file.close();
  }

  /** The pages that a range lies in, and where it lies there. */
  async #place({ start, end }: Range) {
    const first = Math.floor(start / PAGE) * PAGE;
    const elements = inPages(end - first);
    if (this.#memory.length < elements) {
      this.#memory = await this.file.memory(elements);
      this.#first = -1;
    }
    const pages = this.#memory.subarray(0, elements);
    return { first, pages, values: pages.subarray(start - first, end - first) };
  }
}
