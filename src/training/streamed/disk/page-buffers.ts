import { inPages } from '../sections.js';

/** Buffers of one size. */
export interface BufferClass {
  /** In elements of whole pages. */
  readonly size: number;
  /** There are at once; who asks for more waits until one is given back, first come, first served. */
  readonly most: number;
}

/** Memory that files are read into, lent and taken back: what was made once serves to the end. */
export class PageBuffers {
  readonly #range: Shelf;
  readonly #section: Shelf;
  /** Of what is lent, the whole, and where it belongs. */
  readonly #lent = new Map<ArrayBufferLike, { readonly pages: Float32Array; readonly shelf: Shelf }>();

  /**
   * @param make makes whole pages, so many elements
   * @param section of the largest section; a step needs three: two of parameters and a gradient
   */
  constructor(make: (elements: number) => Promise<Float32Array>, range: BufferClass, section: BufferClass) {
    if (section.most < 3) throw new Error('a step needs three sections at once: two of parameters and a gradient');
    this.#range = new Shelf(make, range);
    this.#section = new Shelf(make, section);
  }

  /** @param elements at most those of the largest section */
  async take(elements: number): Promise<Float32Array> {
    const shelf = elements <= this.#range.size ? this.#range : this.#section;
    const pages = await shelf.take();
    this.#lent.set(pages.buffer, { pages, shelf });
    // What fills the last page up goes to disk as well: the same values make the same files.
    pages.fill(0, elements, inPages(elements));
    return new Float32Array(pages.buffer, pages.byteOffset, elements);
  }

  /** Takes back what {@link take} gave; what it did not give it leaves alone. */
  give({ buffer }: Float32Array): void {
    const lent = this.#lent.get(buffer);
    if (!lent) return;
    this.#lent.delete(buffer);
    lent.shelf.give(lent.pages);
  }
}

class Shelf {
  readonly #free: Float32Array[] = [];
  readonly #waiting: ((pages: Float32Array) => void)[] = [];
  #made = 0;

  constructor(
    private readonly make: (elements: number) => Promise<Float32Array>,
    private readonly of: BufferClass,
  ) {}

  get size(): number {
    return this.of.size;
  }

  take(): Promise<Float32Array> {
    const free = this.#free.pop();
    if (free) return Promise.resolve(free);
    if (this.#made >= this.of.most) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#made++;
    return this.make(this.of.size);
  }

  give(pages: Float32Array): void {
    const next = this.#waiting.shift();
    if (next) next(pages);
    else this.#free.push(pages);
  }
}
