import type { Sequences } from '../sequences.js';

/** Tokens of a block. */
const BLOCK = 32;

/** What is held of some tokens behind all those of the blocks before. */
interface Block {
  readonly parent: Block | undefined;
  readonly key: string;
  readonly kept: Float32Array;
  readonly next: Map<string, Block>;
}

/**
 * Beginnings of texts that were read, in blocks, each behind the blocks that it follows: a system prompt is computed once, and
 * is in memory once however many texts begin with it. What was not asked for longest is given up.
 */
export class KeptPrefixes {
  readonly #roots = new Map<string, Block>();
  /** By when they were used, the latest last; each stands before the one that it follows. */
  readonly #blocks = new Set<Block>();
  #bytes = 0;

  /** @param most tokens that are kept */
  constructor(
    private readonly sequences: Pick<Sequences, 'kept' | 'restore' | 'lengthOf' | 'cut'>,
    private readonly most: number,
  ) {}

  /** Tokens that are kept. */
  get tokens(): number {
    return this.#blocks.size * BLOCK;
  }

  /** What they take in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Adds to a sequence what is kept of a text beyond it.
   *
   * @param ids the text; the sequence holds its beginning
   * @param until at most so many of them
   * @returns tokens that the sequence holds then
   */
  restore(sequence: number, ids: readonly number[], until: number): number {
    let length = this.sequences.lengthOf(sequence);
    let block: Block | undefined;
    for (let from = 0; from + BLOCK <= until; from += BLOCK) {
      const next: Block | undefined = this.#after(block).get(keyOf(ids, from));
      if (next === undefined) break;
      block = next;
      if (from + BLOCK <= length) continue;
      // Of a block that the sequence has begun it gets the whole again, which is the same.
      if (length > from) this.sequences.cut(sequence, from);
      this.sequences.restore(sequence, block.kept, BLOCK);
      length = from + BLOCK;
    }
    this.#use(block);
    return length;
  }

  /** Keeps the blocks of a text that a sequence holds, which are not kept yet. */
  keep(sequence: number, ids: readonly number[]): void {
    const length = Math.min(ids.length, this.sequences.lengthOf(sequence));
    let block: Block | undefined;
    for (let from = 0; from + BLOCK <= length; from += BLOCK) {
      const key = keyOf(ids, from);
      const among = this.#after(block);
      let next = among.get(key);
      if (next === undefined) {
        const kept = this.sequences.kept(sequence, from, from + BLOCK);
        if (kept === undefined) break;
        next = { parent: block, key, kept, next: new Map() };
        among.set(key, next);
        this.#blocks.add(next);
        this.#bytes += kept.byteLength;
      }
      block = next;
    }
    this.#use(block);
    this.#giveUp();
  }

  #after(block: Block | undefined): Map<string, Block> {
    return block === undefined ? this.#roots : block.next;
  }

  /** Whoever uses a block uses those before it as well. */
  #use(last: Block | undefined): void {
    for (let block = last; block !== undefined; block = block.parent) {
      this.#blocks.delete(block);
      this.#blocks.add(block);
    }
  }

  /** Gives up the oldest ends of texts: what others follow is kept as long as they. */
  #giveUp(): void {
    for (const block of this.#blocks) {
      if (this.tokens <= this.most) return;
      this.#after(block.parent).delete(block.key);
      this.#blocks.delete(block);
      this.#bytes -= block.kept.byteLength;
    }
  }
}

const keyOf = (ids: readonly number[], from: number): string => ids.slice(from, from + BLOCK).join(' ');
