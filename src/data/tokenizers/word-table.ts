/**
 * Numbers byte strings 0, 1, 2, ... in the order in which they first come: an open-addressing hash table over one
 * array of bytes, with no object a word. Growing keeps the load at or below one half.
 */
export class WordTable {
  #slots = new Int32Array(1 << 12).fill(-1);
  #hashes = new Int32Array(1 << 11);
  /** Word w is `bytes[offsets[w], offsets[w + 1])`. */
  #offsets = new Uint32Array((1 << 11) + 1);
  #bytes = new Uint8Array(1 << 14);
  #size = 0;

  /** How many words it holds. */
  get size(): number {
    return this.#size;
  }

  /** How many bytes its words take together. */
  get byteLength(): number {
    return this.#offsets[this.#size]!;
  }

  /** The bytes of word `index`, as a view that the next {@link add} may make stale. */
  word(index: number): Uint8Array {
    return this.#bytes.subarray(this.#offsets[index], this.#offsets[index + 1]);
  }

  /** The number of `bytes[start, end)`; a new word gets the number that {@link size} was. */
  add(bytes: Uint8Array, start: number, end: number): number {
    let hash = end - start;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    hash ^= hash >>> 13;
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let word: number; (word = this.#slots[slot]!) >= 0; slot = (slot + 1) & mask) {
      if (this.#hashes[word] === hash && this.#equals(word, bytes, start, end)) return word;
    }
    return this.#insert(slot, hash, bytes, start, end);
  }

  /** Forgets all words and keeps the memory. */
  clear(): void {
    this.#slots.fill(-1);
    this.#size = 0;
  }

  #equals(word: number, bytes: Uint8Array, start: number, end: number): boolean {
    const from = this.#offsets[word]!;
    if (this.#offsets[word + 1]! - from !== end - start) return false;
    const own = this.#bytes;
    for (let i = from, j = start; j < end; i++, j++) if (own[i] !== bytes[j]) return false;
    return true;
  }

  #insert(slot: number, hash: number, bytes: Uint8Array, start: number, end: number): number {
    const word = this.#size++;
    const at = this.#offsets[word]!;
    const next = at + end - start;
    if (next > this.#bytes.length) this.#bytes = grown(this.#bytes, Math.max(next, 2 * this.#bytes.length));
    for (let i = at, j = start; j < end; i++, j++) this.#bytes[i] = bytes[j]!;
    if (this.#size === this.#hashes.length) {
      this.#hashes = grown(this.#hashes, 2 * this.#size);
      this.#offsets = grown(this.#offsets, 2 * this.#size + 1);
    }
    this.#offsets[this.#size] = next;
    this.#hashes[word] = hash;
    this.#slots[slot] = word;
    if (2 * this.#size > this.#slots.length) this.#rehash();
    return word;
  }

  #rehash(): void {
    const mask = 2 * this.#slots.length - 1;
    this.#slots = new Int32Array(mask + 1).fill(-1);
    for (let word = 0; word < this.#size; word++) {
      let slot = this.#hashes[word]! & mask;
      while (this.#slots[slot]! >= 0) slot = (slot + 1) & mask;
      this.#slots[slot] = word;
    }
  }
}

/** A copy of an array with room for `length` elements. */
export function grown<T extends Uint8Array | Int32Array | Uint32Array | Float64Array>(array: T, length: number): T {
  const larger = new (array.constructor as new (length: number) => T)(length);
  larger.set(array);
  return larger;
}
