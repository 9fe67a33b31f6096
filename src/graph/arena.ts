/** Sizes are rounded up to this. */
const GRAIN = 256;
const FIRST_REGION = 2 ** 20;
const LARGEST_REGION = 2 ** 30;
/** What a chunk may hold more than was asked for before it is split, unless it is twice as large. */
const MOST_DEAD = 128 * 2 ** 20;

/** Memory that is handed out as a whole: some bytes at an address. */
export interface Chunk {
  readonly region: Region;
  readonly start: number;
  size: number;
  free: boolean;
  previous: Chunk | undefined;
  next: Chunk | undefined;
}

export interface Region {
  /** Up to where each stretch has been written to: the system gives no memory to the rest. */
  readonly touched: { from: number; to: number }[];
}

/**
 * ONNX Runtime's arena, without memory: it hands out the smallest free chunk that is large enough, splits it only when
 * much would be left, and asks the system for regions that double in size (`bfc_arena.cc`, its default settings). How
 * much of them is ever written to is what a run takes of the machine.
 */
export class Arena {
  readonly #regions: Region[] = [];
  /** Free chunks, the smallest first. */
  readonly #free: Chunk[] = [];
  #nextRegion = FIRST_REGION;

  /** Bytes that have been written to. */
  get touchedBytes(): number {
    return this.#regions.flatMap(({ touched }) => touched).reduce((sum, { from, to }) => sum + to - from, 0);
  }

  allocate(bytes: number): Chunk {
    const size = Math.max(1, Math.ceil(bytes / GRAIN)) * GRAIN;
    let at = this.#free.findIndex((chunk) => chunk.size >= size);
    if (at < 0) at = this.#extend(size);
    const chunk = this.#free.splice(at, 1)[0]!;
    chunk.free = false;
    if (chunk.size >= 2 * size || chunk.size - size >= MOST_DEAD) this.#split(chunk, size);
    touch(chunk.region, chunk.start, chunk.start + bytes);
    return chunk;
  }

  release(chunk: Chunk): void {
    chunk.free = true;
    let whole = chunk;
    if (chunk.previous?.free) {
      whole = chunk.previous;
      this.#free.splice(this.#free.indexOf(whole), 1);
      join(whole);
    }
    if (whole.next?.free) {
      this.#free.splice(this.#free.indexOf(whole.next), 1);
      join(whole);
    }
    this.#offer(whole);
  }

  /** @returns where the new region's chunk stands among the free ones */
  #extend(size: number): number {
    const enough = this.#nextRegion >= size;
    while (this.#nextRegion < size) this.#nextRegion *= 2;
    const region = { touched: [] };
    this.#regions.push(region);
    const chunk = { region, start: 0, size: this.#nextRegion, free: true, previous: undefined, next: undefined };
    if (enough) this.#nextRegion = Math.min(LARGEST_REGION, 2 * this.#nextRegion);
    return this.#offer(chunk);
  }

  #split(chunk: Chunk, size: number): void {
    const { region, start, next } = chunk;
    const rest = { region, start: start + size, size: chunk.size - size, free: true, previous: chunk, next };
    if (next) next.previous = rest;
    chunk.next = rest;
    chunk.size = size;
    this.#offer(rest);
  }

  #offer(chunk: Chunk): number {
    let at = this.#free.findIndex(({ size }) => size >= chunk.size);
    if (at < 0) at = this.#free.length;
    this.#free.splice(at, 0, chunk);
    return at;
  }
}

/** Takes the next chunk in. */
function join(chunk: Chunk): void {
  const next = chunk.next!;
  chunk.size += next.size;
  chunk.next = next.next;
  if (next.next) next.next.previous = chunk;
}

function touch({ touched }: Region, from: number, to: number): void {
  const apart = touched.filter((one) => one.to < from || one.from > to);
  const met = touched.filter((one) => one.to >= from && one.from <= to);
  const stretch = {
    from: Math.min(from, ...met.map((one) => one.from)),
    to: Math.max(to, ...met.map((one) => one.to)),
  };
  touched.splice(0, touched.length, ...apart, stretch);
}
