import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { BoundarySizes, BoundaryStore } from '../hidden-states.js';
import { inPages } from '../sections.js';
import { DirectFile, type OpenRaw } from './direct-file.js';
import { pagesOf, requireSpace } from './file-store.js';

/** Hidden states in a file. No checkpoint needs them: the next step makes them anew. */
export class BoundaryFile implements BoundaryStore {
  private constructor(
    private readonly sizes: BoundarySizes,
    private readonly file: DirectFile,
  ) {}

  /** Bytes of the file. */
  static bytes(sizes: BoundarySizes): number {
    return DirectFile.bytes(elementsOf(sizes));
  }

  /** @throws MeanfieldError when it cannot be made, or the disk has no room for it */
  static async open(path: string, sizes: BoundarySizes, by?: OpenRaw): Promise<BoundaryFile> {
    // One that a killed process left.
    await rm(path, { force: true });
    const content = 'the hidden states between layers of all micro-batches of a step';
    await requireSpace(dirname(path), BoundaryFile.bytes(sizes), content);
    return new BoundaryFile(sizes, await DirectFile.open(path, elementsOf(sizes), by));
  }

  async memory(): Promise<Float32Array> {
    const { elements } = this.sizes;
    return (await this.file.memory(inPages(elements))).subarray(0, elements);
  }

  save(state: Float32Array, boundary: number, batch: number): Promise<void> {
    return this.file.write(pagesOf(state), this.#place(boundary, batch));
  }

  load(state: Float32Array, boundary: number, batch: number): Promise<void> {
    return this.file.read(pagesOf(state), this.#place(boundary, batch));
  }

  async close(): Promise<void> {
    await this.file.close();
    await rm(this.file.path, { force: true });
  }

  #place(boundary: number, batch: number): number {
    return (boundary * this.sizes.batches + batch) * inPages(this.sizes.elements);
  }
}

const elementsOf = ({ boundaries, batches, elements }: BoundarySizes): number =>
  boundaries * batches * inPages(elements);
