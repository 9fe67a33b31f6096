import { othersTurn } from '../../base/others-turn.js';
import { BYTE_CHARACTERS, bytesToToken } from './byte-level.js';
import { MergeQueue } from './merge-queue.js';
import { PairTable } from './pair-table.js';
import type { WordCounts } from './word-counts.js';
import { grown } from './word-table.js';

/** A trained byte-level BPE: what `tokenizer.json` holds of it. */
export interface BpeModel {
  /** The token of each id as its bytes; empty for a special token. */
  tokens: Uint8Array[];
  /** Pairs of ids in the order in which they are merged. */
  merges: [left: number, right: number][];
  /** Special tokens, which no text merges into, by their ids. */
  special: Map<number, string>;
}

/** Milliseconds of work after which others have a turn. */
const TURN = 50;

/** What {@link trainBpe} makes. */
export interface BpeTraining {
  /** How many tokens to have, with the 256 bytes and the special tokens; fewer when there is nothing left to merge. */
  vocabularySize: number;
  /** Special tokens; they get the first ids. */
  special: string[];
  /** How often a pair must come to be merged: once unless given. */
  minFrequency?: number;
  /** Called now and then with the number of tokens made. */
  onProgress?: (tokens: number) => void;
}

/**
 * Learns byte-pair merges (Sennrich et al., arXiv 1508.07909) from counted words: again and again the pair of tokens
 * that comes most often becomes a token. Counts are kept up to date by looking only at words that hold the merged pair.
 * Gives the same ids and merges as `BpeTrainer` of Hugging Face `tokenizers` with `ByteLevel.alphabet()`.
 */
export function trainBpe(counted: WordCounts, options: BpeTraining): BpeModel {
  const work = new Trainer(counted, options).train();
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/**
 * As {@link trainBpe}, giving others a turn now and then, so that signals are heard.
 *
 * @throws DOMException (AbortError) when stopped by the signal
 */
export async function trainBpeInTurns(
  counted: WordCounts,
  options: BpeTraining,
  signal: AbortSignal | undefined,
): Promise<BpeModel> {
  signal?.throwIfAborted();
  const work = new Trainer(counted, options).train();
  for (let turn = performance.now(); ; ) {
    const { done, value } = work.next();
    if (done) return value;
    if (performance.now() - turn < TURN) continue;
    await othersTurn();
    signal?.throwIfAborted();
    turn = performance.now();
  }
}

class Trainer {
  readonly #options: BpeTraining;
  readonly #tokens: Uint8Array[];
  readonly #idOfToken = new Map<string, number>();
  readonly #wordCounts: Float64Array;
  /** The token ids of all words; word w is `#symbols[#starts[w], #starts[w] + #lengths[w])`. */
  readonly #symbols: Int32Array;
  readonly #starts: Uint32Array;
  readonly #lengths: Uint32Array;
  readonly #pairs = new PairTable();
  #pairCounts = new Float64Array(1 << 11);
  /** For each pair found since the queue was last filled: the words it came in. */
  #found = new Map<number, number[]>();
  readonly #queue = new MergeQueue();

  constructor(counted: WordCounts, options: BpeTraining) {
    this.#options = options;
    this.#tokens = options.special.map(() => new Uint8Array(0));
    const idOfByte = new Int32Array(256);
    const byCharacter = Uint8Array.from({ length: 256 }, (_, byte) => byte).sort((a, b) =>
      BYTE_CHARACTERS[a]! < BYTE_CHARACTERS[b]! ? -1 : 1,
    );
    for (const byte of byCharacter) {
      idOfByte[byte] = this.#tokens.length;
      this.#addToken(Uint8Array.of(byte));
    }
    this.#wordCounts = counted.counts;
    this.#symbols = new Int32Array(counted.bytes.length);
    for (let at = 0; at < this.#symbols.length; at++) this.#symbols[at] = idOfByte[counted.bytes[at]!]!;
    this.#starts = new Uint32Array(counted.ends.length);
    for (let word = 1; word < counted.ends.length; word++) this.#starts[word] = counted.ends[word - 1]!;
    this.#lengths = counted.ends.map((end, word) => end - this.#starts[word]!);
  }

  /** Rests between pieces of work that take milliseconds. */
  *train(): Generator<void, BpeModel> {
    const { vocabularySize, special, minFrequency = 1, onProgress } = this.#options;
    for (let word = 0; word < this.#starts.length; word++) {
      const end = this.#starts[word]! + this.#lengths[word]!;
      for (let at = this.#starts[word]! + 1; at < end; at++) {
        this.#change(this.#symbols[at - 1]!, this.#symbols[at]!, 1, word);
      }
      if (word % 4096 === 0) yield;
    }
    this.#enqueueFound();

    const merges = new Map<number, [number, number]>();
    while (this.#tokens.length < vocabularySize) {
      const top = this.#queue.pop();
      if (top === undefined) break;
      const count = this.#pairCounts[top.pair]!;
      if (count < minFrequency) continue;
      if (count !== top.count) {
        this.#queue.push({ ...top, count });
        continue;
      }
      const merged = this.#addToken(join(this.#tokens[top.left]!, this.#tokens[top.right]!));
      // A pair can be queued twice, where two ways lead to one token; its last place in the order is the one that counts.
      merges.delete(top.pair);
      merges.set(top.pair, [top.left, top.right]);
      for (const [i, word] of top.words.entries()) {
        this.#mergeInWord(word, top.left, top.right, merged);
        if (i % 4096 === 4095) yield;
      }
      this.#enqueueFound();
      if (this.#tokens.length % 256 === 0) onProgress?.(this.#tokens.length);
      yield;
    }
    const names = new Map(special.map((name, id) => [id, name]));
    return { tokens: this.#tokens, merges: [...merges.values()], special: names };
  }

  /** The id of a token, which is new unless other merges have led to the same bytes. */
  #addToken(bytes: Uint8Array): number {
    const name = bytesToToken(bytes);
    let id = this.#idOfToken.get(name);
    if (id === undefined) {
      id = this.#tokens.push(bytes) - 1;
      this.#idOfToken.set(name, id);
    }
    return id;
  }

  /** Replaces a pair in one word, from left to right, and counts the pairs that go and come. */
  #mergeInWord(word: number, left: number, right: number, merged: number): void {
    const symbols = this.#symbols;
    const start = this.#starts[word]!;
    const end = start + this.#lengths[word]!;
    let to = start;
    for (let from = start; from < end; to++) {
      const symbol = symbols[from]!;
      if (symbol !== left || from + 1 >= end || symbols[from + 1] !== right) {
        symbols[to] = symbol;
        from++;
        continue;
      }
      if (to > start) {
        this.#change(symbols[to - 1]!, left, -1, word);
        this.#change(symbols[to - 1]!, merged, 1, word);
      }
      from += 2;
      if (from < end) {
        this.#change(right, symbols[from]!, -1, word);
        this.#change(merged, symbols[from]!, 1, word);
      }
      symbols[to] = merged;
    }
    this.#lengths[word] = to - start;
  }

  /** A pair comes once more (`by` 1) or once less (−1) in a word. */
  #change(left: number, right: number, by: 1 | -1, word: number): void {
    const pair = this.#pairs.add(left, right);
    if (pair >= this.#pairCounts.length) this.#pairCounts = grown(this.#pairCounts, 2 * this.#pairCounts.length);
    this.#pairCounts[pair]! += by * this.#wordCounts[word]!;
    if (by < 0) return;
    const words = this.#found.get(pair);
    if (words === undefined) this.#found.set(pair, [word]);
    else if (words[words.length - 1] !== word) words.push(word);
  }

  #enqueueFound(): void {
    for (const [pair, words] of this.#found) {
      const count = this.#pairCounts[pair]!;
      const candidate = { count, left: this.#pairs.left(pair), right: this.#pairs.right(pair), pair, words };
      if (count > 0) this.#queue.push(candidate);
    }
    this.#found.clear();
  }
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
